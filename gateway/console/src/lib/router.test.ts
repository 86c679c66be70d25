import { beforeAll, expect, test, vi } from "vitest";

let router: typeof import("./router.svelte");
beforeAll(async () => {
  vi.stubGlobal("location", { pathname: "/", search: "" });
  vi.stubGlobal("$state", Object.assign((value: unknown) => value, { raw: (value: unknown) => value }));
  router = await import("./router.svelte");
});

test.each([
  ["/apps", "/apps", {}],
  ["/apps/", "/apps", {}],
  ["/apps/own.thing-1a2b", "/apps/:id", { id: "own.thing-1a2b" }],
  ["/store/a%2Fb", "/store/:id", { id: "a/b" }],
  ["/apps/x/terminal", "/apps/:id", null],
  ["/", "/", {}],
])("%s against %s", (path, pattern, params) => expect(router.matchPath(path, pattern)).toEqual(params));
