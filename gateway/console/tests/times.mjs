/** How long a person waits: a new browser until the sign-in is there, and a click on Deploy until its steps are.
 *
 * `make bench-console` runs it against a platform of its own. It prints times and asserts none. */
import { chromium } from "playwright-core";

const { CHROMIUM, CONSOLE_URL, CONSOLE_USERNAME, CONSOLE_PASSWORD, ROUNDS = "5" } = process.env;
const LIMIT_MS = 60_000; // of a wait on a busy machine

function report(name, times) {
  const sorted = times.toSorted((a, b) => a - b);
  const [least, median, most] = [sorted[0], sorted[Math.floor(sorted.length / 2)], sorted.at(-1)].map(Math.round);
  console.log(`${name}: ${median} ms (median of ${times.length}; ${least} to ${most})`);
}

async function measure(browser, round) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 } });
  context.setDefaultTimeout(LIMIT_MS);
  const page = await context.newPage();
  const began = performance.now();
  await page.goto(`${CONSOLE_URL}/sign-in?next=${encodeURIComponent("/store/adminer")}`);
  await page.getByLabel("User name").waitFor();
  const visible = performance.now() - began;
  await page.getByLabel("User name").fill(CONSOLE_USERNAME);
  await page.getByLabel("Password").fill(CONSOLE_PASSWORD);
  await page.keyboard.press("Enter");
  await page.getByLabel("Host name").fill(`time-${Date.now()}-${round}`);
  await page.getByText("Place", { exact: true }).waitFor();
  const clicked = performance.now();
  await page.getByRole("button", { name: "Deploy", exact: true }).click();
  await page.getByRole("progressbar").waitFor();
  const progress = performance.now() - clicked;
  await context.close();
  return { visible, progress };
}

const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
const found = [];
for (let round = 0; round < Number(ROUNDS); round += 1) found.push(await measure(browser, round));
await browser.close();
report("sign-in visible", found.map((each) => each.visible));
report("click on Deploy until its steps are shown", found.map((each) => each.progress));
