/** A browser on the console: signs in, and fails a test for any error in the console, breach of the policy or barrier. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { chromium, type Browser, type BrowserContext, type BrowserContextOptions, type Page } from "playwright-core";
import { afterAll, beforeAll, expect, onTestFailed } from "vitest";

export const URL = readVariable("CONSOLE_URL");
export const USERNAME = readVariable("CONSOLE_USERNAME");
export const PASSWORD = readVariable("CONSOLE_PASSWORD");
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const LIMIT_MS = 40_000; // of a wait for the platform on a busy machine

function readVariable(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set; tests/console sets it`);
  return value;
}

/** Ask the test that started the platform to do something to it: `kill/apps-worker`, `publish/1.1.0` (of the item Guestbook). */
export async function control(what: string): Promise<void> {
  const response = await fetch(`${readVariable("CONSOLE_CONTROL")}/${what}`, { method: "POST" });
  if (!response.ok) throw new Error(`${what}: ${await response.text()}`);
}

/** The browser of a test file. */
export function useBrowser(): { open: (options?: BrowserContextOptions) => Promise<Tab> } {
  let browser: Browser | undefined;
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: readVariable("CHROMIUM"), args: ["--no-sandbox"] });
  });
  afterAll(async () => browser?.close());
  return {
    async open(options = {}) {
      if (!browser) throw new Error("the browser did not start");
      const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, ...options });
      context.setDefaultTimeout(LIMIT_MS);
      const tab = new Tab(context, await context.newPage());
      onTestFailed(async ({ task }) => {
        const name = `failed-${task.name.replace(/\W+/g, "-").slice(0, 60)}`;
        await tab.page.screenshot({ path: join(readVariable("CONSOLE_PICTURES"), `${name}.png`) }).catch(() => undefined);
        console.error(`${name}.png shows ${tab.page.url()}; in its console:`, tab.faults);
      });
      return tab;
    },
  };
}

export class Tab {
  readonly context: BrowserContext;
  readonly page: Page;
  readonly faults: string[] = [];
  /** Errors that the test provokes, an answer with 401 say: the browser reports each failed request. */
  readonly expected: RegExp[] = [];

  readonly #followed: Tab[] = [];

  constructor(context: BrowserContext, page: Page) {
    this.context = context;
    this.page = page;
    // A machine whose network interfaces come and go (containers that start) has Chromium drop requests in flight.
    this.expected.push(/ERR_NETWORK_CHANGED/);
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") this.#note(`${message.text()} ${message.location().url}`);
    });
    page.on("pageerror", (error) => this.#note(error.message));
    page.on("request", (request) => {
      if (!request.url().startsWith(URL) && !request.url().startsWith("data:")) this.#note(`a request to ${request.url()}`);
    });
  }

  #note(text: string): void {
    if (!this.expected.some((each) => each.test(text))) this.faults.push(text);
  }

  /** The same with a page that this one has opened. */
  follow(page: Page): Tab {
    const tab = new Tab(this.context, page);
    this.#followed.push(tab);
    return tab;
  }

  async go(path: string): Promise<void> {
    await this.page.goto(URL + path);
  }

  async signIn(path = "/", username = USERNAME, password = PASSWORD): Promise<void> {
    await this.go(path === "/" ? "/sign-in" : `/sign-in?next=${encodeURIComponent(path)}`);
    await this.page.getByLabel("User name").fill(username);
    await this.page.getByLabel("Password").fill(password);
    await this.page.keyboard.press("Enter");
    await this.page.getByRole("navigation", { name: "Sections" }).waitFor();
  }

  /** Barriers that axe finds on what is shown. It runs in a world of its own, because the policy refuses foreign scripts. */
  async listBarriers(): Promise<string[]> {
    const session = await this.context.newCDPSession(this.page);
    const { frameTree } = await session.send("Page.getFrameTree");
    const { executionContextId: contextId } = await session.send("Page.createIsolatedWorld", { frameId: frameTree.frame.id });
    await session.send("Runtime.evaluate", { expression: AXE, contextId });
    const expression = `axe.run().then((found) => found.violations.flatMap((each) => each.nodes.map((node) => each.id + " " + node.target)))`;
    const { result } = await session.send("Runtime.evaluate", { expression, contextId, awaitPromise: true, returnByValue: true });
    await session.detach();
    return result.value as string[];
  }

  /** Look at a screen: no barriers, nothing wider than the window; the picture is for people. */
  async look(name: string): Promise<void> {
    await this.page.screenshot({ path: join(readVariable("CONSOLE_PICTURES"), `${name}.png`) });
    expect(await this.listBarriers(), `barriers on ${name}`).toEqual([]);
    const excess = await this.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    expect(excess, `pixels beside the window on ${name}`).toBeLessThanOrEqual(0);
  }

  async close(): Promise<void> {
    await this.context.close();
    expect([...this.faults, ...this.#followed.flatMap((each) => each.faults)]).toEqual([]);
  }
}
