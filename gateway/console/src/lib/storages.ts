/** Names of available storages that take a kind of content, each once; none where no host answers. */
import { api, get } from "./api";

export async function listStorages(content: "backup" | "rootdir"): Promise<string[]> {
  try {
    const found = await get(api.GET("/api/proxmox/storages", { params: { query: { content } } }));
    return [...new Set(found.filter((each) => each.available).map((each) => each.name))].sort();
  } catch {
    return [];
  }
}
