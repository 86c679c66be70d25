import { beforeEach, expect, test, vi } from "vitest";

type Answer = [status: number, body: unknown];
const sent: { url: string; method: string; token: string | null }[] = [];
let answers: Record<string, Answer[]> = {};

async function load(): Promise<typeof import("./api")> {
  vi.resetModules();
  return import("./api");
}
beforeEach(() => {
  sent.length = 0;
  vi.stubGlobal("location", { origin: "http://homelab.lan", protocol: "http:" });
  vi.stubGlobal("navigator", {}); // plain http: no locks
  vi.stubGlobal("document", { cookie: "csrftoken=t%3D1" });
  vi.stubGlobal("fetch", (request: Request) => {
    const path = new URL(request.url).pathname;
    sent.push({ url: path, method: request.method, token: request.headers.get("x-csrftoken") });
    const [status, body] = answers[path]?.shift() ?? [500, {}];
    return Promise.resolve(new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json" } }));
  });
});

test("an expired token is replaced once for calls at the same time, which are then repeated", async () => {
  const { api, get } = await load();
  answers = { "/api/summary": [[401, {}], [401, {}], [200, { apps_total: 1 }], [200, { apps_total: 1 }]], "/api/auth/token/refresh": [[200, {}]] };
  const found = await Promise.all([get(api.GET("/api/summary")), get(api.GET("/api/summary"))]);
  expect(found.map((each) => each.apps_total)).toEqual([1, 1]);
  expect(sent.filter((each) => each.url.endsWith("refresh"))).toEqual([{ url: "/api/auth/token/refresh", method: "POST", token: "t=1" }]);
});

test("the session is over where the refresh is refused", async () => {
  const { api, get, onSession } = await load();
  let over = 0;
  onSession({ expired: () => (over += 1), stepUp: () => Promise.resolve(false) });
  answers = { "/api/summary": [[401, { error: "The access token has expired" }]], "/api/auth/token/refresh": [[401, {}]] };
  await expect(get(api.GET("/api/summary"))).rejects.toMatchObject({ status: 401, message: "The access token has expired" });
  expect(over).toBe(1);
});

test("a call that needs the password again is repeated after it, without a refresh", async () => {
  const { api, get, onSession } = await load();
  onSession({ expired: () => undefined, stepUp: () => Promise.resolve(true) });
  const path = "/api/apps/x/secrets/reveal";
  answers = { [path]: [[401, { error: "again", details: [{ reason: "STEP_UP_REQUIRED" }] }], [200, { values: { A: "1" } }]] };
  const found = await get(api.POST("/api/apps/{app_id}/secrets/reveal", { params: { path: { app_id: "x" } }, body: { names: ["A"] } }));
  expect(found.values).toEqual({ A: "1" });
  expect(sent.map((each) => each.url)).toEqual([path, path]);
});

test("reads carry no CSRF token, writes do", async () => {
  const { api, get } = await load();
  answers = { "/api/summary": [[200, {}]], "/api/auth/logout": [[200, {}]] };
  await get(api.GET("/api/summary"));
  await get(api.POST("/api/auth/logout", { body: {} }));
  expect(sent.map((each) => each.token)).toEqual([null, "t=1"]);
});

test("refusals give their sentence, reason and fields", async () => {
  const { readError } = await load();
  const details = [{ reason: "INVALID" }, { field_violations: [{ field: "hostname", description: "is taken" }] }];
  expect(readError(400, { error: "hostname: is taken", details })).toMatchObject({ message: "hostname: is taken", reason: "INVALID", fields: { hostname: "is taken" } });
  expect(readError(504, null).message).toContain("504");
});
