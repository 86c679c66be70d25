/** The client that @hey-api/openapi-ts makes of the document. */
import * as sdk from "./generated/hey_api/index.js";
import { client } from "./generated/hey_api/client.gen.js";
import { url, walkFromNode } from "./node.js";
import { readEvent } from "./sse.js";
import type { Event, Platform } from "./walk.js";

let token = "";
client.setConfig({
  baseUrl: url,
  throwOnError: true,
  auth: (scheme) => (scheme.scheme === "bearer" && token ? token : undefined),
});

function need<T>(data: T | undefined): T {
  if (data === undefined) throw new Error("the answer is empty");
  return data;
}

const platform: Platform = {
  async signIn(username, password) {
    token = need((await sdk.login({ body: { username, password } })).data).access;
  },
  async deploy(hostname) {
    return need((await sdk.deployApp({ body: { catalog_id: "adminer", hostname } })).data).id;
  },
  async *watch(app_id, after): AsyncGenerator<Event> {
    const end = new AbortController();
    const named: { id: string; kind: string }[] = [];
    const { stream } = await sdk.watchAppEvents({
      path: { app_id },
      query: { last_event_id: after },
      signal: end.signal,
      onSseEvent: ({ id, event }) => named.push({ id: id ?? "", kind: event ?? "" }),
      onSseError: (error) => console.error(error),
    });
    try {
      for await (const data of stream) {
        const { id, kind } = need(named.shift());
        yield readEvent(id, kind, data);
      }
    } finally {
      end.abort();
    }
  },
  async backUp(app_id) {
    return need((await sdk.createBackup({ path: { app_id }, body: {} })).data).id;
  },
  async readBackupStatus(app_id, backup_id) {
    return need((await sdk.getBackup({ path: { app_id, backup_id } })).data).status;
  },
  async restore(app_id, backup_id) {
    await sdk.restoreBackup({ path: { app_id, backup_id }, body: {} });
  },
  async remove(app_id) {
    await sdk.deleteApp({ path: { app_id } });
  },
};
await walkFromNode(platform);
