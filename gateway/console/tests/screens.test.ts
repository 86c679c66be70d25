import { expect, test } from "vitest";
import { useBrowser } from "./browser";

const browser = useBrowser();
const SCREENS = [
  ["home", "/", "Needs attention"],
  ["apps", "/apps", "Deploy an app"],
  ["store", "/store", "Actual Budget"],
  ["deploy", "/store/nextcloud", "What will be deployed"],
  ["backups", "/backups", "Backups"],
  ["policies", "/backups?tab=policies", "Policies"],
  ["nothing", "/nothing/here", "There is nothing at this address"],
] as const;

test.each([
  ["light", 1280],
  ["dark", 1280],
  ["light", 390],
  ["dark", 390],
] as const)("every screen in %s, %d pixels wide", async (colorScheme, width) => {
  const tab = await browser.open({ colorScheme, viewport: { width, height: width === 390 ? 844 : 860 } });
  await tab.signIn();
  for (const [name, path, text] of SCREENS) {
    await tab.go(path);
    await tab.page.getByText(text).first().waitFor();
    await tab.page.getByRole("status", { name: "Loading" }).first().waitFor({ state: "detached" });
    await tab.look(`${name}-${colorScheme}-${String(width)}`);
  }
  await tab.close();
});

test("everything is reached by the keyboard alone", async () => {
  const tab = await browser.open();
  const { page } = tab;
  await tab.go("/sign-in");
  await page.getByLabel("User name").waitFor();
  await page.keyboard.press("Tab");
  await page.keyboard.type(process.env["CONSOLE_USERNAME"] ?? "");
  await page.keyboard.press("Tab");
  await page.keyboard.type(process.env["CONSOLE_PASSWORD"] ?? "");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Home" }).waitFor();
  await page.keyboard.press("g");
  await page.keyboard.press("s");
  await page.getByText("Actual Budget").waitFor();
  await page.keyboard.press("/");
  await page.keyboard.type("adminer");
  const card = page.getByRole("link", { name: /Adminer/ });
  while (!(await card.evaluate((element) => element === document.activeElement))) await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.getByLabel("Host name").waitFor();
  await page.getByLabel("Host name").focus();
  await page.keyboard.press("Control+A");
  await page.keyboard.type("keys-01");
  await page.keyboard.press("Enter");
  await page.locator(".state .badge", { hasText: "Running" }).waitFor();
  const menu = page.getByRole("button", { name: "More actions" });
  await menu.focus();
  await page.keyboard.press("Enter");
  await page.getByRole("menuitem", { name: "Clone…" }).waitFor();
  await page.keyboard.press("End");
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog");
  await dialog.waitFor();
  expect(await dialog.evaluate((element) => element.contains(document.activeElement))).toBe(true);
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "hidden" });
  await page.keyboard.press("?");
  await page.getByText("Keyboard shortcuts").waitFor();
  await page.keyboard.press("Escape");
  await tab.close();
});

test("500 apps are searched and scrolled", async () => {
  const tab = await browser.open();
  const { page } = tab;
  await tab.signIn("/apps");
  await page.getByRole("link", { name: /keys-01/ }).first().waitFor();
  const { apps } = (await page.evaluate(async () => (await fetch("/api/apps?per_page=1")).json())) as { apps: Record<string, unknown>[] };
  // Five hundred of one that is there: to deploy them would take the rest of the day.
  const many = Array.from({ length: 500 }, (_, index) => ({ ...apps[0], id: `many-${String(index)}`, name: `many-${String(index).padStart(3, "0")}`, hostname: `many-${String(index)}` }));
  await page.route(/\/api\/apps\?/, async (route) => {
    const number = Number(new URL(route.request().url()).searchParams.get("page") ?? 1);
    await route.fulfill({ json: { apps: many.slice((number - 1) * 100, number * 100), total: 500, page: number, per_page: 100 } });
  });
  await tab.go("/apps");
  await page.getByText("500 apps").waitFor();
  expect(await page.getByRole("row").count()).toBeLessThan(200);
  await page.getByRole("button", { name: "Name" }).click();
  await page.getByRole("link", { name: "many-000", exact: false }).first().waitFor();
  const last = page.getByRole("link", { name: "many-499" }).first();
  const scroll = async (): Promise<boolean> => {
    await page.evaluate(() => window.scrollTo(0, document.documentElement.scrollHeight));
    return last.isVisible();
  };
  await expect.poll(scroll, { timeout: 60_000, interval: 100 }).toBe(true);
  await page.keyboard.press("/");
  await page.keyboard.type("many-321");
  await page.getByRole("link", { name: "many-321" }).first().waitFor();
  expect(await page.getByRole("row").count()).toBe(2);
  await tab.close();
});
