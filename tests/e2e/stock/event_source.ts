/** fetch and EventSource with cookies, in a browser, from a page of another origin. */
import { offerWalk } from "./browser.js";
import type { Event, Platform } from "./walk.js";

type Json = Record<string, any>;

async function* listen(address: string): AsyncGenerator<Event> {
  const source = new EventSource(address, { withCredentials: true });
  const received: Event[] = [];
  let wake = () => {};
  const take = (kind: string) => (message: MessageEvent<string>) => {
    const data: Json = JSON.parse(message.data);
    const id = message.lastEventId;
    if (kind === "status") received.push({ id, status: data.status, message: data.message });
    else received.push(kind === "log" ? { id, log: data.message } : { id, removed: true });
    wake();
  };
  for (const kind of ["status", "log", "removed"]) source.addEventListener(kind, take(kind));
  try {
    for (;;) {
      while (received.length > 0) yield received.shift()!;
      await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    source.close();
  }
}

function connect(url: string): Platform {
  async function send(method: string, path: string, body?: Json): Promise<Json> {
    const csrf = /(?:^|; )csrftoken=([^;]+)/.exec(document.cookie)?.[1] ?? "";
    const answer = await fetch(`${url}/api${path}`, {
      method,
      credentials: "include",
      headers: { "content-type": "application/json", "x-csrftoken": csrf },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    const found = (await answer.json()) as Json;
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${found.error}`);
    return found;
  }
  return {
    async signIn(username, password) {
      await send("POST", "/auth/login", { username, password });
    },
    async deploy(hostname) {
      return (await send("POST", "/apps", { catalog_id: "adminer", hostname })).id;
    },
    watch: (appId, after) => listen(`${url}/api/apps/${appId}/events?last_event_id=${after}`),
    async backUp(appId) {
      return (await send("POST", `/apps/${appId}/backups`, {})).id;
    },
    async readBackupStatus(appId, backupId) {
      return (await send("GET", `/apps/${appId}/backups/${backupId}`)).status;
    },
    async restore(appId, backupId) {
      await send("POST", `/apps/${appId}/backups/${backupId}/restore`, {});
    },
    async remove(appId) {
      await send("DELETE", `/apps/${appId}`);
    },
  };
}

offerWalk(connect);
