/** Sign in, deploy an app, follow it, back it up and delete it, over REST. */
import { setTimeout as sleep } from "node:timers/promises";
import { Platform, take } from "../src/rest.js";
import { hostname, password, url, username } from "./settings.js";

const platform = new Platform(url);
await platform.login(username, password);

const app = await take(platform.api.POST("/api/apps", { body: { catalog_id: "adminer", hostname } }));
const path = { app_id: String(app.id) };
for await (const { event, data } of platform.follow(path.app_id)) {
  if (event === "log") console.log(`  ${data.message}`);
  if (data.progress) console.log(`${data.progress} % ${data.step_description}`);
  if (event === "status" && data.status === "error") throw new Error(String(data.message));
  if (event === "status" && data.status === "running") break;
}
console.log(`${app.id} is running`);

const made = await take(platform.api.POST("/api/apps/{app_id}/backups", { params: { path }, body: {} }));
const params = { path: { ...path, backup_id: Number(made.id) } };
const readBackup = () => take(platform.api.GET("/api/apps/{app_id}/backups/{backup_id}", { params }));
let backup = await readBackup();
for (const end = Date.now() + 120_000; backup.is_in_progress && Date.now() < end; await sleep(300)) {
  backup = await readBackup();
}
console.log(`backup ${made.id} is ${backup.status}`);

await take(platform.api.DELETE("/api/apps/{app_id}", { params: { path } }));
for await (const { event } of platform.follow(path.app_id, "")) {
  if (event === "removed") console.log(`${app.id} is removed`);
}
