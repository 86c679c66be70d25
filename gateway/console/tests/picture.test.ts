import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "vitest";
import { useBrowser, type Tab } from "./browser";

const browser = useBrowser();

async function send(tab: Tab, path: string, body: object): Promise<void> {
  const done = await tab.page.evaluate(
    async ({ path, body }) => {
      const token = /csrftoken=([^;]+)/.exec(document.cookie)?.[1] ?? "";
      const headers = { "content-type": "application/json", "x-csrftoken": decodeURIComponent(token) };
      const response = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
      return response.ok ? "" : response.text();
    },
    { path, body },
  );
  if (done) throw new Error(done);
}

/** The picture of the README and the tutorial: `make console-picture` puts it into docs. */
test("home with apps, running work and capacity", async () => {
  const tab = await browser.open({ viewport: { width: 1200, height: 720 } });
  const { page } = tab;
  await tab.signIn();
  for (const [catalog_id, hostname] of [["gitea", "code"], ["vaultwarden", "passwords"], ["grafana", "dashboards"], ["nextcloud", "files"]]) {
    await send(tab, "/api/apps", { catalog_id, hostname });
  }
  await tab.go("/apps?q=files");
  await page.getByRole("row", { name: /files/ }).getByText("Running").waitFor();
  await tab.go("/apps?q=code");
  await page.getByRole("row", { name: /code/ }).getByText("Running").waitFor();
  await tab.go("/");
  await page.getByText("pve1").waitFor();
  await send(tab, "/api/apps", { catalog_id: "paperless-ngx", hostname: "documents" });
  await page.getByRole("progressbar").first().waitFor();
  await tab.look("readme");
  const folder = process.env["CONSOLE_PICTURES"] ?? "";
  if (process.env["CONSOLE_PICTURE"]) copyFileSync(join(folder, "readme.png"), process.env["CONSOLE_PICTURE"]);
  await tab.close();
});
