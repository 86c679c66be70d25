import { beforeAll, expect, test, vi } from "vitest";
import { control, PASSWORD, URL, USERNAME, useBrowser, type Tab } from "./browser";

const browser = useBrowser();
const LIMIT = { timeout: 60_000, interval: 100 };
let appId = "";
let token = "";

async function call(method: string, path: string, body?: unknown): Promise<Record<string, unknown>> {
  const headers = { "content-type": "application/json", ...(token ? { authorization: `Bearer ${token}` } : {}) };
  const response = await fetch(URL + path, { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) });
  if (!response.ok) throw new Error(`${method} ${path}: ${await response.text()}`);
  return (await response.json()) as Record<string, unknown>;
}

async function waitForStatus(wanted: string): Promise<void> {
  await vi.waitFor(async () => expect((await call("GET", `/api/apps/${appId}/status`))["status"]).toBe(wanted), LIMIT);
}

/** What the terminal shows; rows of xterm's own elements. */
function read(tab: Tab): Promise<string> {
  return tab.page.locator(".xterm-rows").innerText();
}

/** Wait until the terminal shows something. */
async function find(tab: Tab, wanted: string | RegExp): Promise<void> {
  await vi.waitFor(async () => expect(await read(tab)).toMatch(wanted), LIMIT);
}

async function type(tab: Tab, text: string): Promise<void> {
  await tab.page.locator(".xterm-helper-textarea").focus();
  await tab.page.keyboard.type(text);
}

async function openTerminal(tab: Tab): Promise<void> {
  await tab.signIn();
  await tab.go(`/apps/${appId}/terminal`);
}

async function waitForPrompt(tab: Tab): Promise<void> {
  await tab.page.getByText("Connected", { exact: true }).waitFor();
  await find(tab, "# ");
}

beforeAll(async () => {
  token = String((await call("POST", "/api/auth/login", { username: USERNAME, password: PASSWORD }))["access"]);
  const hostname = `term-${Math.random().toString(36).slice(2, 8)}`;
  appId = String((await call("POST", "/api/apps", { catalog_id: "adminer", hostname, name: "Database browser" }))["id"]);
  await waitForStatus("running");
}, 120_000);

test.each([
  ["light", 1280],
  ["dark", 1280],
  ["light", 390],
  ["dark", 390],
] as const)("a shell in %s, %d pixels wide", async (colorScheme, width) => {
  const tab = await browser.open({ colorScheme, viewport: { width, height: 844 } });
  await tab.signIn(`/apps/${appId}`);
  const [page] = await Promise.all([tab.context.waitForEvent("page"), tab.page.getByRole("link", { name: "Terminal" }).click()]);
  const terminal = tab.follow(page);
  await waitForPrompt(terminal);
  await type(terminal, "printf '\\033[31mred \\033[32mgreen \\033[1;34mblue\\033[0m\\n'; ls -la /\r");
  await find(terminal, "red green blue");
  await find(terminal, "root");
  await terminal.look(`terminal-${colorScheme}-${String(width)}`);
  await type(terminal, "exit 3\r");
  await page.getByText("The shell has ended with status 3.").waitFor();
  await terminal.look(`terminal-ended-${colorScheme}-${String(width)}`);
  await page.getByRole("button", { name: "Open again" }).click();
  await waitForPrompt(terminal);
  await tab.close();
});

test("the size follows the window, keys of phones work, and F6 leaves the terminal", async () => {
  const tab = await browser.open({ viewport: { width: 390, height: 844 } });
  await openTerminal(tab);
  await waitForPrompt(tab);
  await type(tab, "stty size\r");
  await find(tab, /\n\d+ [3-6]\d\n/);
  await tab.page.setViewportSize({ width: 1000, height: 600 });
  await type(tab, "stty size\r");
  await find(tab, /\n\d+ 1[0-4]\d\n/);
  await tab.page.setViewportSize({ width: 390, height: 844 });
  await type(tab, "sleep 600\r");
  await tab.page.getByRole("button", { name: "Ctrl" }).click();
  await tab.page.keyboard.type("c");
  await find(tab, "^C");
  await tab.page.keyboard.press("F6");
  expect(await tab.page.evaluate(() => document.activeElement?.textContent)).toBe("Database browser");
  await tab.close();
});

test("a terminal in use gets a newer token before its own ends", async () => {
  const tab = await browser.open();
  // A token of this test would last an hour: the page is told that it lasts four seconds.
  await tab.page.route("**/api/auth/token/refresh", async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, json: { ...((await response.json()) as object), expires_in: 4 } });
  });
  const sent: string[] = [];
  tab.page.on("websocket", (socket) => socket.on("framesent", ({ payload }) => sent.push(payload.toString())));
  await openTerminal(tab);
  await waitForPrompt(tab);
  await vi.waitFor(() => expect(sent.filter((frame) => frame.startsWith('{"token":'))).not.toEqual([]), LIMIT);
  await type(tab, "echo st''ill\r");
  await find(tab, "still");
  await tab.close();
});

test("much output arrives whole, in order and soon", async () => {
  const tab = await browser.open();
  await openTerminal(tab);
  await waitForPrompt(tab);
  await type(tab, "seq 1 50000; echo al''l\r");
  await find(tab, /49999\n50000\nall/);
  await tab.close();
});

test("a service that restarts ends the shell, and a new one is opened by itself", async () => {
  const tab = await browser.open();
  tab.expected.push(/50\d|WebSocket|ERR_|Failed to (load|fetch)/);
  await openTerminal(tab);
  await waitForPrompt(tab);
  await type(tab, "X=before\r");
  await control("kill/apps");
  await tab.page.getByText("Connection lost", { exact: true }).waitFor();
  await tab.page.getByText("Connected", { exact: true }).waitFor();
  await type(tab, "echo [$X]\r");
  await find(tab, "[]");
  await tab.close();
});

test("a stopped app is refused with the server's sentence, and opened again when it runs", async () => {
  const tab = await browser.open();
  await call("POST", `/api/apps/${appId}/action`, { action: "stop" });
  await waitForStatus("stopped");
  await openTerminal(tab);
  await tab.page.getByText("does not run; start it first").waitFor();
  await tab.look("terminal-refused-light-1280");
  await call("POST", `/api/apps/${appId}/action`, { action: "start" });
  await waitForPrompt(tab); // by itself
  await tab.close();
});

test("after a sign-in the page is loaded anew, with the policy that it needs", async () => {
  const tab = await browser.open();
  tab.expected.push(/Content Security Policy|style-src/); // until it is loaded anew
  await tab.go(`/sign-in?next=${encodeURIComponent(`/apps/${appId}/terminal`)}`);
  await tab.page.getByLabel("User name").fill(USERNAME);
  await tab.page.getByLabel("Password").fill(PASSWORD);
  await tab.page.keyboard.press("Enter");
  await waitForPrompt(tab);
  await tab.close();
});

test("an app of somebody else does not exist", async () => {
  const tab = await browser.open();
  await tab.signIn();
  await tab.go("/apps/nobody-00000000/terminal");
  await tab.page.getByText("there is no app nobody-00000000").waitFor();
  await tab.close();
});
