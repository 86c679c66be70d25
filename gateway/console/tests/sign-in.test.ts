import { expect, test } from "vitest";
import { URL, useBrowser } from "./browser";

const browser = useBrowser();

test("a wrong password is refused with the server's sentence, the right one opens what was wanted", async () => {
  const tab = await browser.open();
  tab.expected.push(/401/);
  await tab.go("/apps?q=cloud");
  await tab.page.waitForURL(/\/sign-in\?next=/);
  await tab.look("sign-in-light-1280");
  await tab.page.getByLabel("User name").fill("admin");
  await tab.page.getByLabel("Password").fill("wrong-password");
  await tab.page.keyboard.press("Enter");
  const refusal = await tab.page.getByRole("alert").innerText();
  expect(refusal.toLowerCase()).toContain("password");
  await tab.signIn("/apps?q=cloud");
  await tab.page.waitForURL(`${URL}/apps?q=cloud`);
  await tab.close();
});

test("another tab signs out with this one", async () => {
  const tab = await browser.open();
  await tab.signIn("/apps");
  const other = await tab.context.newPage();
  await other.goto(`${URL}/apps`);
  await other.getByRole("heading", { name: "Apps" }).waitFor();
  await tab.page.getByRole("button", { name: "admin" }).click();
  await tab.page.getByRole("menuitem", { name: "Sign out" }).click();
  await tab.page.waitForURL(`${URL}/sign-in`);
  await other.waitForURL(/\/sign-in/);
  await tab.close();
});

test.each([
  ["light", 390],
  ["dark", 390],
  ["dark", 1280],
] as const)("the sign-in in %s, %d pixels wide", async (colorScheme, width) => {
  const tab = await browser.open({ colorScheme, viewport: { width, height: 844 } });
  await tab.go("/sign-in");
  await tab.page.getByRole("heading", { name: "Sign in" }).waitFor();
  await tab.look(`sign-in-${colorScheme}-${String(width)}`);
  await tab.close();
});

test("an address that leads elsewhere is not followed after the sign-in", async () => {
  const tab = await browser.open();
  await tab.signIn("//example.org/apps");
  await tab.page.waitForURL(`${URL}/`);
  await tab.close();
});
