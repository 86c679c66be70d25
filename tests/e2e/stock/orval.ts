/** The fetch client that orval makes of the document; of a stream it gives the address alone. */
import * as api from "./generated/orval.js";
import { url, walkFromNode } from "./node.js";
import { parseEvents } from "./sse.js";
import type { Platform } from "./walk.js";

const headers: Record<string, string> = {};
const fetchAnywhere = globalThis.fetch;
// Its addresses are relative, for pages of the same origin.
globalThis.fetch = (path, options) => fetchAnywhere(new URL(String(path), url), options);

function succeed<A extends { status: number; data: unknown }, S extends number>(
  answer: A,
  status: S,
): Extract<A, { status: S }>["data"] {
  if (answer.status !== status) throw new Error(`${answer.status} ${JSON.stringify(answer.data)}`);
  return answer.data as Extract<A, { status: S }>["data"];
}

const platform: Platform = {
  async signIn(username, password) {
    const session = succeed(await api.login({ username, password }), 200);
    headers.authorization = `Bearer ${session.access}`;
  },
  async deploy(hostname) {
    return succeed(await api.deployApp({ catalog_id: "adminer", hostname }, { headers }), 201).id;
  },
  async *watch(appId, after) {
    const answer = await fetch(api.getWatchAppEventsUrl(appId, { last_event_id: after }), { headers });
    if (!answer.ok || !answer.body) throw new Error(`the events answer ${answer.status}`);
    yield* parseEvents(answer.body);
  },
  async backUp(appId) {
    return succeed(await api.createBackup(appId, {}, { headers }), 202).id;
  },
  async readBackupStatus(appId, backupId) {
    return succeed(await api.getBackup(appId, backupId, { headers }), 200).status;
  },
  async restore(appId, backupId) {
    succeed(await api.restoreBackup(appId, backupId, {}, { headers }), 202);
  },
  async remove(appId) {
    succeed(await api.deleteApp(appId, undefined, { headers }), 202);
  },
};
await walkFromNode(platform);
