import { expect, test } from "vitest";
import { control, useBrowser, type Tab } from "./browser";

const browser = useBrowser();

async function deploy(tab: Tab, item: string, hostname: string): Promise<void> {
  const { page } = tab;
  await tab.signIn("/store");
  await page.getByLabel("Search the store").fill(item);
  await page.getByRole("link", { name: new RegExp(item, "i") }).first().click();
  await page.getByLabel("Host name").fill(hostname);
  await page.getByRole("heading", { name: "What will be deployed" }).waitFor();
}

test("an app lives: store, deployment with its steps, credentials, backup, restore, stop, start", async () => {
  const tab = await browser.open();
  const { page } = tab;
  await deploy(tab, "Nextcloud", "life-01");
  await page.getByText("Place", { exact: true }).waitFor();
  await tab.look("deploy-light-1280");
  await page.getByRole("button", { name: "Deploy", exact: true }).click();
  await page.waitForURL(/\/apps\/nextcloud-/);
  await page.getByRole("progressbar").waitFor();
  await page.getByText("Creating the container").waitFor();
  await tab.look("progress-light-1280");
  await page.locator(".badge", { hasText: "Running" }).first().waitFor();
  const address = await page.getByRole("link", { name: "Open" }).getAttribute("href");
  expect(address).toMatch(/^http:\/\//);
  expect((await fetch(address ?? "")).ok).toBe(true);

  await page.getByRole("button", { name: "Show password" }).click();
  const password = page.getByRole("textbox", { name: "Password", exact: true });
  await password.waitFor();
  expect(await password.inputValue()).toMatch(/\S{10,}/);
  await page.getByText("Use over time").waitFor();

  await page.getByRole("tab", { name: "Backups" }).click();
  await page.getByText("No backups yet").waitFor();
  await page.getByRole("button", { name: "Back up now" }).click();
  await page.getByLabel("Notes").fill("before the walk");
  await page.getByRole("button", { name: "Back up", exact: true }).click();
  await page.locator("td .badge", { hasText: "Completed" }).waitFor();
  await tab.look("app-backups-light-1280");
  const choose = async (item: string): Promise<void> => {
    await page.getByRole("button", { name: /^Actions for the backup/ }).last().click();
    await page.getByRole("menuitem", { name: item }).click();
  };
  const dialog = page.getByRole("dialog");
  await choose("Test whether it can be restored");
  await page.getByText("Restore tested").waitFor();
  await choose("Result of the restore test…");
  await dialog.getByRole("log").waitFor();
  await tab.look("restore-test-light-1280");
  await dialog.getByRole("button", { name: "Close" }).last().click();
  await choose("Check the archive");
  await page.getByText(/Archive read whole, intact/).waitFor();
  await choose("Restore as a new app…");
  await dialog.getByLabel("Host name of the new app").fill("life-03");
  await dialog.getByLabel("Node").selectOption({ index: 1 });
  await dialog.getByText("Place", { exact: true }).waitFor(); // where it would be
  await tab.look("restore-beside-light-1280");
  await dialog.getByRole("button", { name: "Restore", exact: true }).click();
  await dialog.waitFor({ state: "hidden" });
  await choose("Restore over the app…");
  const restore = dialog.getByRole("button", { name: "Restore", exact: true });
  await dialog.getByLabel("Back up the app as it is first").waitFor();
  await tab.look("restore-light-1280");
  expect(await restore.isDisabled()).toBe(true);
  await page.getByLabel("Type life-01 to confirm").fill("life-01");
  await restore.click();
  await page.waitForURL(/\/apps\/nextcloud-[0-9a-f]+$/);
  const original = page.url();
  await page.getByText("Restoring the archive").waitFor();
  await page.locator(".state .badge", { hasText: "Running" }).waitFor();

  await page.goto(new globalThis.URL("/backups?tab=statistics", page.url()).href);
  await page.getByRole("link", { name: "life-01" }).waitFor();
  await tab.look("statistics-light-1280");
  await page.goBack();
  await page.locator(".state .badge", { hasText: "Running" }).waitFor();
  await page.getByRole("button", { name: "More actions" }).click();
  await page.getByRole("menuitem", { name: "Export…" }).click();
  await dialog.getByLabel("Passphrase").fill("correct horse battery");
  await dialog.getByLabel("Passphrase again").fill("correct horse battery");
  await tab.look("export-light-1280");
  const [download] = await Promise.all([page.waitForEvent("download"), dialog.getByRole("button", { name: "Export", exact: true }).click()]);
  const document = await download.path();
  await dialog.getByText("The document is saved").waitFor();
  await tab.look("exported-light-1280");
  await dialog.getByRole("button", { name: "Close" }).last().click();
  await page.goto(new globalThis.URL("/apps?do=import", page.url()).href);
  await dialog.getByLabel("Document").setInputFiles(document);
  await dialog.getByLabel("Passphrase").fill("correct horse battery");
  await dialog.getByLabel("Host name").fill("life-04");
  await dialog.getByLabel("Name", { exact: true }).fill("life-04");
  await dialog.getByRole("button", { name: "Check", exact: true }).click();
  await dialog.getByText("It can be imported.").waitFor();
  await tab.look("import-light-1280");
  await dialog.getByRole("button", { name: "Import", exact: true }).click();
  await page.getByRole("heading", { name: "life-04" }).waitFor();
  await page.locator(".state .badge", { hasText: "Running" }).waitFor();
  await page.goto(original);

  await page.getByRole("button", { name: "Stop" }).click();
  await page.locator(".state .badge", { hasText: "Stopped" }).waitFor();
  await page.getByRole("button", { name: "Start" }).click();
  await page.locator(".state .badge", { hasText: "Running" }).waitFor();
  await page.getByRole("tab", { name: "Log" }).click();
  await page.getByText("Creating the container").waitFor();
  await tab.look("app-log-light-1280");
  await page.getByRole("tab", { name: "History" }).click();
  await page.getByText("Deploy app").waitFor();
  await tab.look("app-history-light-1280");
  await page.getByRole("tab", { name: "Settings" }).click();
  await page.getByRole("button", { name: "Show MYSQL_PASSWORD" }).click();
  await page.getByRole("textbox", { name: "MYSQL_PASSWORD" }).waitFor();
  await tab.look("app-settings-light-1280");
  tab.expected.push(/400/);
  await page.getByLabel("Disk").fill("1");
  await page.getByRole("button", { name: "Save" }).click();
  await page.locator("[aria-invalid=true]").waitFor();
  await tab.close();
});

test("the server's sentence stands at the field", async () => {
  const tab = await browser.open({ viewport: { width: 390, height: 844 }, colorScheme: "dark" });
  const { page } = tab;
  tab.expected.push(/400|409/);
  await deploy(tab, "Adminer", "Not_a_name");
  await page.getByRole("button", { name: "Deploy", exact: true }).click();
  const field = page.getByLabel("Host name");
  await page.locator("[aria-invalid=true]").waitFor();
  expect(await field.getAttribute("aria-invalid")).toBe("true");
  const described = await field.getAttribute("aria-describedby");
  const sentence = await page.locator(`[id="${described?.split(" ").at(-1) ?? ""}"]`).innerText();
  expect(sentence).toContain("Not_a_name");
  expect(await field.evaluate((element) => element === document.activeElement)).toBe(true);
  await tab.look("deploy-dark-390");
  await tab.close();
});

test("work goes on where a worker is killed, and a gateway that restarts is found again", async () => {
  const tab = await browser.open();
  const { page } = tab;
  tab.expected.push(/Failed to load resource|ERR_/);
  await deploy(tab, "Adminer", "life-02");
  await page.getByRole("button", { name: "Deploy", exact: true }).click();
  await page.getByText("Creating the container").waitFor();
  await control("kill/apps-worker");
  await control("kill/envoy");
  await page.locator(".state .badge", { hasText: "Running" }).waitFor();
  await page.getByRole("region", { name: "In progress" }).getByText("Succeeded").waitFor();
  await tab.close();
});

test("an access token that is gone is replaced, and the work of another tab is seen", async () => {
  const tab = await browser.open();
  const { page } = tab;
  tab.expected.push(/401/);
  await tab.signIn("/apps");
  await page.getByRole("link", { name: "life-02 adminer" }).waitFor();
  await tab.context.clearCookies({ name: "proximity-auth-cookie" });
  const other = await tab.context.newPage();
  await other.goto(page.url());
  await other.getByRole("link", { name: "life-02 adminer" }).waitFor();
  await other.getByRole("button", { name: "Stop life-02" }).click();
  const row = page.getByRole("row", { name: /life-02/ });
  await row.getByText("Stopped").waitFor();
  await tab.context.clearCookies({ name: "proximity-auth-cookie" });
  await row.getByRole("button", { name: "Start life-02" }).click();
  await other.getByRole("row", { name: /life-02/ }).getByText("Running").waitFor();
  await tab.close();
});

test("a tab that slept shows what happened meanwhile", async () => {
  const tab = await browser.open();
  const { page } = tab;
  tab.expected.push(/Failed to load resource|ERR_/);
  await tab.signIn("/apps");
  const row = page.getByRole("row", { name: /life-02/ });
  await row.getByText("Running").waitFor();
  const session = await tab.context.newCDPSession(page);
  await session.send("Page.setWebLifecycleState", { state: "frozen" });
  await control("kill/envoy"); // its connection breaks while nothing of the page runs
  const other = await tab.context.newPage();
  await expect.poll(async () => (await other.goto(page.url()).catch(() => null))?.ok(), { timeout: 30_000 }).toBe(true);
  await other.getByRole("button", { name: "Stop life-02" }).click();
  await other.getByRole("row", { name: /life-02/ }).getByText("Stopped").waitFor();
  await session.send("Page.setWebLifecycleState", { state: "active" });
  await row.getByText("Stopped").waitFor();
  await tab.close();
});
