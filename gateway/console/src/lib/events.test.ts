import { beforeEach, expect, test, vi } from "vitest";

const asked: (string | null)[] = [];
let answers: (() => Response)[] = [];

function stream(text: string): () => Response {
  return () => new Response(text, { status: 200, headers: { "content-type": "text/event-stream" } });
}
function refuse(status: number): () => Response {
  return () => new Response(JSON.stringify({ error: `refused with ${String(status)}` }), { status });
}

async function read(): Promise<{ events: string[]; states: string[]; ended: string[]; stop: () => void }> {
  vi.resetModules();
  const { EventReader } = await import("./events");
  const seen = { events: [] as string[], states: [] as string[], ended: [] as string[] };
  const reader = new EventReader({
    path: "/api/events",
    onEvent: (event) => seen.events.push(event.event),
    onState: (state) => seen.states.push(state),
    onEnd: (error) => seen.ended.push(error.message),
  });
  reader.start();
  return { ...seen, stop: () => reader.stop() };
}

beforeEach(() => {
  vi.useFakeTimers();
  asked.length = 0;
  vi.stubGlobal("location", { origin: "http://homelab.lan", protocol: "http:" });
  vi.stubGlobal("navigator", {});
  vi.stubGlobal("document", { cookie: "csrftoken=t", hidden: false, addEventListener: () => undefined, removeEventListener: () => undefined });
  vi.stubGlobal("window", { addEventListener: () => undefined, removeEventListener: () => undefined, setTimeout: setTimeout });
  vi.stubGlobal("fetch", (target: string | Request, options?: RequestInit) => {
    if (target instanceof Request) return Promise.resolve(new Response("{}", { status: target.url.endsWith("refresh") ? 200 : 500 }));
    asked.push(new Headers(options?.headers).get("last-event-id"));
    return Promise.resolve((answers.shift() ?? refuse(404))());
  });
});

test("a stream that breaks off is resumed behind the last event", async () => {
  answers = [stream("id: 7\nevent: connected\ndata: {}\n\nid: 8\nevent: status\ndata: {}\n\n"), stream("id: 9\nevent: log\ndata: {}\n\n")];
  const seen = await read();
  await vi.advanceTimersByTimeAsync(5000);
  seen.stop();
  expect(seen.events).toEqual(["connected", "status", "log"]);
  expect(asked.slice(0, 3)).toEqual([null, "8", "9"]);
  expect(seen.states.slice(0, 3)).toEqual(["connecting", "live", "waiting"]);
});

test("an expired token is replaced", async () => {
  answers = [refuse(401), stream("id: 1\nevent: connected\ndata: {}\n\n")];
  const seen = await read();
  await vi.advanceTimersByTimeAsync(100);
  seen.stop();
  expect(seen.events).toEqual(["connected"]);
});

test("it ends where what it is about is gone, and waits where the server is", async () => {
  answers = [refuse(503), refuse(503), refuse(404)];
  const seen = await read();
  await vi.advanceTimersByTimeAsync(200);
  expect(asked).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(30_000);
  expect(asked).toHaveLength(3);
  expect(seen.ended).toEqual(["refused with 404"]);
});
