import { expect, test } from "vitest";
import { control, URL, useBrowser, type Tab } from "./browser";

const browser = useBrowser();

async function choose(tab: Tab, item: string): Promise<void> {
  await tab.page.getByRole("button", { name: "More actions" }).click();
  await tab.page.getByRole("menuitem", { name: item }).click();
  await tab.page.getByRole("dialog").waitFor();
}
async function waitForState(tab: Tab, word: string): Promise<void> {
  await tab.page.locator(".state .badge", { hasText: word }).waitFor();
}

async function readCsrf(tab: Tab): Promise<Record<string, string>> {
  const cookie = (await tab.context.cookies()).find((each) => each.name.endsWith("csrftoken"));
  return { "x-csrftoken": cookie?.value ?? "" };
}

test("an app is updated, taken back, moved, cloned and deleted", async () => {
  const tab = await browser.open();
  const { page } = tab;
  await control("publish/1.0.0");
  await tab.signIn("/store");
  await page.getByRole("link", { name: /Guestbook/ }).click();
  await page.getByLabel("Host name").fill("guests-01");
  await page.getByRole("button", { name: "Deploy", exact: true }).click();
  await waitForState(tab, "Running");
  const address = page.url();

  await control("publish/1.1.0");
  // The list learns of revisions within a minute; the dialog asks for itself.
  await page.goto(`${address}?do=update`);
  const dialog = page.getByRole("dialog");
  await dialog.getByText("example/guestbook:1.0.0 → example/guestbook:1.1.0").waitFor();
  await tab.look("update-light-1280");
  await dialog.getByRole("button", { name: "Update", exact: true }).click();
  await dialog.waitFor({ state: "hidden" });
  await page.getByRole("region", { name: "In progress" }).waitFor();
  await waitForState(tab, "Running");

  await choose(tab, "Roll back…");
  await page.getByLabel("Type guests-01 to confirm").fill("guests-01");
  await dialog.getByRole("button", { name: "Roll back", exact: true }).click();
  await dialog.waitFor({ state: "hidden" });
  await page.getByRole("tab", { name: "History" }).click();
  await page.locator("summary", { hasText: "Rollback app" }).getByText("Succeeded").waitFor();
  await waitForState(tab, "Running");

  await choose(tab, "Move to another node…");
  await dialog.getByRole("radio").first().check();
  const target = await dialog.getByRole("radio").first().inputValue();
  await dialog.getByRole("button", { name: "Move", exact: true }).click();
  await dialog.waitFor({ state: "hidden" });
  await page.locator(".state", { hasText: target }).waitFor();
  await waitForState(tab, "Running");

  await choose(tab, "Clone…");
  tab.expected.push(/400|409/);
  await dialog.getByLabel("Host name of the clone").fill("guests-01");
  await dialog.getByRole("button", { name: "Clone", exact: true }).click();
  await dialog.getByText("guests-01 is that of another app").waitFor();
  await dialog.getByLabel("Host name of the clone").fill("guests-02");
  await dialog.getByRole("button", { name: "Clone", exact: true }).click();
  await page.getByRole("heading", { name: "guests-02" }).waitFor();
  await waitForState(tab, "Running");

  await choose(tab, "Delete…");
  const button = dialog.getByRole("button", { name: "Delete", exact: true });
  await dialog.getByText("is destroyed with all data in it").waitFor();
  expect(await button.isDisabled()).toBe(true);
  await tab.look("delete-light-1280");
  await page.getByLabel("Type guests-02 to confirm").fill("guests-02");
  await button.click();
  await page.getByText("There is no such app").waitFor();
  await tab.close();
});

test("a policy is made, refused at its field, previewed before and after, and deleted; users get limits", async () => {
  const tab = await browser.open();
  const { page } = tab;
  tab.expected.push(/400/);
  await tab.signIn("/backups?tab=policies");
  await page.getByRole("link", { name: "New policy" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name").fill("Every Night");
  await dialog.getByRole("button", { name: "Save" }).click();
  await dialog.locator("[aria-invalid=true]").waitFor();
  await dialog.getByText("Every Night").waitFor();
  await dialog.getByLabel("Name").fill("every-night");
  await dialog.getByLabel("At").fill("02:30");
  await dialog.getByText("More settings").click();
  await dialog.getByLabel("Random delay up to").fill("1000");
  await dialog.getByText("More settings").click();
  await dialog.getByRole("button", { name: "Preview" }).click();
  await dialog.getByLabel("Random delay up to").and(page.locator("[aria-invalid=true]:focus")).waitFor(); // unfolded
  await dialog.getByLabel("Random delay up to").fill("10");
  await dialog.getByRole("button", { name: "Preview" }).click();
  await dialog.getByText(/02:30 \(UTC/).first().waitFor();
  await tab.look("policy-light-1280");
  await dialog.getByRole("button", { name: "Save" }).click();
  await page.getByText("Every day at 02:30").waitFor();
  await page.getByText("Preview").click();
  await page.getByText("Next runs").waitFor();
  await page.getByRole("button", { name: "Policies of users…" }).click();
  await dialog.getByLabel("Users may have policies for their own apps").check();
  await dialog.getByLabel("Shortest time between two runs").fill("720");
  await tab.look("policy-limits-light-1280");
  await dialog.getByRole("button", { name: "Save" }).click();
  await page.getByText(/runs at least 12 hours apart/).waitFor();
  await tab.look("policies-light-1280");

  const created = await page.request.post(`${URL}/api/auth/users`, { data: { username: "dora", password: "Dora-Walks-2026" }, headers: await readCsrf(tab) });
  expect(created.ok()).toBe(true);
  const hers = await browser.open({ viewport: { width: 390, height: 844 } });
  await hers.signIn("/backups?tab=policies&edit=new", "dora", "Dora-Walks-2026");
  const own = hers.page.getByRole("dialog");
  hers.expected.push(/400/);
  await own.getByLabel("Name").fill("mine");
  await own.getByLabel("Schedule").selectOption("hourly"); // more often than she may
  await own.getByRole("button", { name: "Save" }).click();
  await own.locator("[aria-invalid=true]").first().waitFor();
  await own.getByLabel("Schedule").selectOption("daily");
  await hers.look("policy-user-light-390");
  await own.getByRole("button", { name: "Save" }).click();
  await hers.page.getByRole("heading", { name: "mine" }).waitFor();
  await hers.look("policies-user-light-390");
  await hers.close();

  await page.getByRole("button", { name: "Edit" }).first().click();
  await dialog.getByRole("button", { name: "Delete…" }).click();
  await page.getByLabel("Type every-night to confirm").fill("every-night");
  await page.getByRole("dialog").getByRole("button", { name: "Delete", exact: true }).click();
  await page.getByText("every-night").waitFor({ state: "detached" });
  await tab.close();
});
