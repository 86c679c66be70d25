/** Names of available storages that take a kind of content, each once. */
import { api, get } from "./api";

export async function listStorages(content: "backup" | "rootdir", signal: AbortSignal): Promise<string[]> {
  const found = await get(api.GET("/api/proxmox/storages", { params: { query: { content } }, signal }));
  return [...new Set(found.filter((each) => each.available).map((each) => each.name))].sort();
}
