/** Sign in, deploy an app, follow it, back it up, restore it and delete it, over REST. */
import { setTimeout as sleep } from "node:timers/promises";
import { Platform, take } from "../src/rest.js";
import { hostname, password, url, username } from "./settings.js";

const platform = new Platform(url);
await platform.login(username, password);

/** Follow an app until it has had these statuses one after the other; returns the id of the last event. */
async function follow(appId: string, after: string, ...statuses: string[]): Promise<string> {
  for await (const { id, event, data } of platform.follow(appId, after)) {
    if (event === "log") console.log(`  ${data.message}`);
    if (data.progress) console.log(`${data.progress} % ${data.step_description}`);
    if (event === "status" && data.status === "error") throw new Error(String(data.message));
    if (event === "status" && data.status === statuses[0]) statuses.shift();
    if (statuses.length === 0) return id;
  }
  throw new Error(`${appId} was removed before it was ${statuses[0]}`);
}

const app = await take(platform.api.POST("/api/apps", { body: { catalog_id: "adminer", hostname } }));
const path = { app_id: app.id };
let last = await follow(app.id, "0", "running");
console.log(`${app.id} is running`);

const made = await take(platform.api.POST("/api/apps/{app_id}/backups", { params: { path }, body: {} }));
last = await follow(app.id, last, "backing_up", "running");
const params = { path: { ...path, backup_id: made.id } };
const readBackup = () => take(platform.api.GET("/api/apps/{app_id}/backups/{backup_id}", { params }));
let backup = await readBackup();
for (const end = Date.now() + 60_000; backup.is_in_progress && Date.now() < end; await sleep(300)) {
  backup = await readBackup(); // complete a moment after the app is free
}
console.log(`backup ${made.id} is ${backup.status}`);

await take(platform.api.POST("/api/apps/{app_id}/backups/{backup_id}/restore", { params, body: {} }));
last = await follow(app.id, last, "restoring", "running");
console.log(`${app.id} is restored`);

await take(platform.api.DELETE("/api/apps/{app_id}", { params: { path } }));
for await (const { event } of platform.follow(app.id, last)) {
  if (event === "removed") console.log(`${app.id} is removed`);
}
