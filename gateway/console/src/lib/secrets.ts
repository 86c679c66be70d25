/** Values of an app in clear. Every call is in the audit log and may ask for the password again. */
import { api, get } from "./api";

export async function reveal(appId: string, names: string[]): Promise<Record<string, string>> {
  const call = api.POST("/api/apps/{app_id}/secrets/reveal", { params: { path: { app_id: appId } }, body: { names } });
  return (await get(call)).values;
}
