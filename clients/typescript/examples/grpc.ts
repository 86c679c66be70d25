/** Sign in, deploy an app, follow it, back it up, restore it and delete it, over gRPC. */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { DeployAppRequest } from "../generated/proto/proximity/apps/v1/apps_service.js";
import { CreateBackupRequest, RestoreBackupRequest } from "../generated/proto/proximity/backups/v1/backups_service.js";
import { Platform } from "../src/grpc.js";
import { hostname, password, url, username } from "./settings.js";

const certificates = process.env.PROXIMITY_CA;
const platform = new Platform(url, certificates ? readFileSync(certificates, "utf8") : undefined);
await platform.login(username, password);

/** Follow an app until it has had these statuses one after the other; returns the id of the last event. */
async function follow(appId: string, after: string, ...statuses: string[]): Promise<string> {
  for await (const { id, status, log } of platform.follow(appId, after)) {
    if (log) console.log(`  ${log.message}`);
    if (status?.progress) console.log(`${status.progress} % ${status.stepDescription}`);
    if (status?.status === "error") throw new Error(status.message);
    if (status?.status === statuses[0]) statuses.shift();
    if (statuses.length === 0) return id;
  }
  throw new Error(`${appId} was removed before it was ${statuses[0]}`);
}

const wanted = DeployAppRequest.fromPartial({ catalogId: "adminer", hostname });
const app = await platform.call(platform.apps.deployApp.bind(platform.apps), wanted);
let last = await follow(app.id, "0", "running");
console.log(`${app.id} is running`);

const request = CreateBackupRequest.fromPartial({ appId: app.id });
const { id } = await platform.call(platform.backups.createBackup.bind(platform.backups), request);
last = await follow(app.id, last, "backing_up", "running");
const getBackup = platform.backups.getBackup.bind(platform.backups);
let backup = await platform.call(getBackup, { appId: app.id, backupId: id });
for (const end = Date.now() + 60_000; backup.isInProgress && Date.now() < end; await sleep(300)) {
  backup = await platform.call(getBackup, { appId: app.id, backupId: id }); // complete a moment after the app is free
}
console.log(`backup ${id} is ${backup.status}`);

const restore = RestoreBackupRequest.fromPartial({ appId: app.id, backupId: id });
await platform.call(platform.backups.restoreBackup.bind(platform.backups), restore);
last = await follow(app.id, last, "restoring", "running");
console.log(`${app.id} is restored`);

await platform.call(platform.apps.deleteApp.bind(platform.apps), { appId: app.id });
for await (const { removed } of platform.follow(app.id, last)) {
  if (removed) console.log(`${app.id} is removed`);
}
platform.close();
