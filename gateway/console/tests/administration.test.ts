import { expect, test } from "vitest";
import { useBrowser, PASSWORD, type Tab } from "./browser";

const browser = useBrowser();
const SIZES = [
  ["light", 1280],
  ["dark", 1280],
  ["light", 390],
  ["dark", 390],
] as const;

/** Prove the sign-in again where the server asks for it. */
async function prove(tab: Tab): Promise<void> {
  const dialog = tab.page.getByRole("dialog", { name: "Confirm that it is you" });
  if (await dialog.isVisible()) {
    await dialog.getByLabel("Password").fill(PASSWORD);
    await dialog.getByRole("button", { name: "Confirm" }).click();
  }
}

test("a user is created, gets a quota and a link, is deactivated and removed", async () => {
  const tab = await browser.open();
  await tab.signIn("/admin");
  const { page } = tab;
  await page.getByRole("button", { name: "Create a user" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("User name").fill("bad name");
  tab.expected.push(/400/);
  await dialog.getByRole("button", { name: "Create a user" }).click();
  await dialog.locator("[aria-invalid=true]").waitFor(); // at the field, with the server's sentence
  await dialog.getByLabel("User name").fill("carol");
  await dialog.getByRole("button", { name: "Create a user" }).click();
  await page.getByText("carol was created").waitFor();

  const row = page.getByRole("row", { name: /carol/ });
  await row.getByRole("button", { name: "More for carol" }).click();
  await page.getByRole("menuitem", { name: "Role and quota" }).click();
  await dialog.getByLabel("Apps").fill("3");
  await dialog.getByRole("button", { name: "Save" }).click();
  await page.getByText("carol was changed").first().waitFor();

  await row.getByRole("button", { name: "More for carol" }).click();
  await page.getByRole("menuitem", { name: "Make a reset link" }).click();
  await dialog.getByRole("button", { name: "Make a link" }).click();
  expect(await dialog.getByLabel("link", { exact: true }).inputValue()).toMatch(/^http:\/\/.*#/);
  await dialog.getByRole("button", { name: "Close" }).last().click();

  await row.getByRole("button", { name: "More for carol" }).click();
  await page.getByRole("menuitem", { name: "Deactivate" }).click();
  await row.getByText("Deactivated").waitFor();
  await row.getByRole("button", { name: "More for carol" }).click();
  await page.getByRole("menuitem", { name: "Remove" }).click();
  const remove = dialog.getByRole("button", { name: "Remove" });
  expect(await remove.isDisabled()).toBe(true);
  await dialog.getByLabel("Type carol to confirm").fill("carol");
  await remove.click();
  await page.getByText("carol was removed").waitFor();
  await row.waitFor({ state: "detached" }); // the list is read again after the toast appears

  await page.getByRole("tab", { name: "Activity" }).click();
  await page.getByLabel("Action").fill("auth.DeleteUser");
  await page.getByRole("button", { name: "Filter" }).click();
  await page.getByRole("cell", { name: "auth.DeleteUser" }).first().waitFor();
  await tab.close();
});

test("a host is edited, tested, refused with the server's sentence", async () => {
  const tab = await browser.open();
  await tab.signIn("/hosts");
  const { page } = tab;
  await page.getByRole("button", { name: "Test", exact: true }).first().click();
  await page.getByText(/ms\)/).first().waitFor();
  await page.getByRole("button", { name: "Add a host" }).click();
  const dialog = page.getByRole("dialog", { name: "Add a host" });
  await dialog.getByLabel("Name").fill("spare");
  await dialog.getByLabel("Address").fill("http://pve");
  await dialog.getByLabel("Token ID").fill("root@pam!console");
  await dialog.getByLabel("Token secret").fill("secret");
  tab.expected.push(/400/);
  await dialog.getByRole("button", { name: "Add", exact: true }).click();
  await dialog.locator("[aria-invalid=true]").first().waitFor();
  await tab.look("hosts-form-light-1280");
  // Nothing listens there: the test says so, and nothing is stored.
  await dialog.getByLabel("Address").fill("127.0.0.1");
  await dialog.getByLabel("Port", { exact: true }).fill("9");
  await dialog.getByRole("button", { name: "Test", exact: true }).click();
  await dialog.getByRole("alert").waitFor();
  await dialog.getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("region", { name: "spare" }).waitFor({ state: "detached" });
  await tab.close();
});

test("a container is looked into and becomes an app", async () => {
  const tab = await browser.open();
  await tab.signIn("/adopt");
  const { page } = tab;
  await page.getByRole("button", { name: "Adopt wiki" }).click();
  const dialog = page.getByRole("dialog", { name: "Adopt wiki?" });
  await dialog.getByText("Listens at").waitFor();
  await tab.look("adopt-form-light-1280");
  await dialog.getByRole("button", { name: "Adopt", exact: true }).click();
  await page.waitForURL(/\/apps\/custom-/);
  await page.getByText("Running").first().waitFor();
  await tab.close();
});

test("settings are stored, and refused at their field", async () => {
  const tab = await browser.open();
  await tab.signIn("/admin?tab=settings");
  const { page } = tab;
  await page.getByLabel("Memory").fill("1024");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("The settings are saved").waitFor();
  tab.expected.push(/400/);
  await page.getByLabel("Cores").fill("0");
  await page.getByRole("button", { name: "Save" }).click();
  await page.locator("[aria-invalid=true]").first().waitFor();
  const tests = page.getByRole("form", { name: "Restore tests" });
  await tests.getByLabel("Longest test").fill("90");
  await tests.getByRole("button", { name: "Apply" }).click();
  await page.getByText("The settings are saved").last().waitFor();
  await tests.getByLabel("Longest test").fill("2");
  await tests.getByRole("button", { name: "Apply" }).click();
  await tests.getByText(/is less than 5/).waitFor();
  await page.reload();
  expect(await tests.getByLabel("Longest test").inputValue()).toBe("90");
  await page.getByRole("tab", { name: "Networks" }).click();
  await page.getByRole("button", { name: "Add a network" }).click();
  await page.getByLabel("Bridge").nth(1).fill("vmbr1");
  await page.getByLabel("VLAN").fill("20");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("The settings are saved").waitFor();
  await page.getByRole("button", { name: "Remove vmbr1" }).click();
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("The settings are saved").waitFor();
  await tab.close();
});

test("an API token is made, shown once and revoked; the other sessions are listed", async () => {
  const tab = await browser.open();
  await tab.signIn("/account");
  const { page } = tab;
  await page.getByRole("button", { name: "Create a token" }).click();
  const dialog = page.getByRole("dialog", { name: "Create a token" });
  await dialog.getByLabel("Name").fill("nightly script");
  await dialog.getByRole("button", { name: "Create a token" }).click();
  await prove(tab);
  const token = await dialog.getByLabel("API token", { exact: true }).inputValue();
  const answer = await page.request.get(new URL("/api/apps", page.url()).href, { headers: { authorization: `Bearer ${token}`, cookie: "" } });
  expect(answer.status()).toBe(200);
  await dialog.getByRole("button", { name: "Close" }).last().click();
  await page.getByRole("button", { name: "Revoke nightly script" }).click();
  const confirm = page.getByRole("dialog", { name: "Revoke this token?" });
  await confirm.getByLabel("Type nightly script to confirm").fill("nightly script");
  await confirm.getByRole("button", { name: "Revoke" }).click();
  await page.getByText("You have no API tokens.").waitFor();
  await page.getByText("This one").waitFor();
  await tab.close();
});

test("a source is added, read and removed", async () => {
  const tab = await browser.open();
  await tab.signIn("/admin?tab=sources");
  const { page } = tab;
  await page.getByRole("button", { name: "Add a source" }).first().click();
  const dialog = page.getByRole("dialog", { name: "Add a source" });
  await dialog.getByLabel("Name").fill("nowhere");
  await dialog.getByLabel("Location").fill("https://192.0.2.1/templates.json");
  tab.expected.push(/400/);
  await dialog.getByRole("button", { name: "Add a source" }).click();
  // Either the address is refused at the field, or the source appears and says that it cannot be read.
  await Promise.race([dialog.locator("[aria-invalid=true]").first().waitFor(), page.getByRole("row", { name: /nowhere/ }).waitFor()]);
  await tab.close();
});

test.each(SIZES)("the screens of administration in %s, %d pixels wide", async (colorScheme, width) => {
  const tab = await browser.open({ colorScheme, viewport: { width, height: 900 } });
  await tab.signIn("/hosts");
  const { page } = tab;
  const name = `${colorScheme}-${String(width)}`;
  await page.getByText("Memory").first().waitFor();
  await tab.look(`hosts-${name}`);
  await tab.go("/adopt");
  await page.getByRole("heading", { name: "Containers outside" }).waitFor();
  await page.getByRole("button", { name: "Compare" }).click();
  await page.getByText(/Apps and hosts agree|Unmanaged|Orphan|Missing/).first().waitFor();
  await tab.look(`adopt-${name}`);
  await tab.go("/account");
  await page.getByText("This one").waitFor();
  await tab.look(`account-${name}`);
  for (const [id, text] of [["users", "Create a user"], ["activity", "OK"], ["sources", "Add a source"], ["networks", "Subnet"], ["settings", "Swap"], ["stuck", "Nothing is stuck"]] as const) {
    await tab.go(`/admin?tab=${id}`);
    await page.getByText(text).first().waitFor();
    await tab.look(`admin-${id}-${name}`);
  }
  await tab.close();
});
