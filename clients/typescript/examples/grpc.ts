/** Sign in, deploy an app, follow it, back it up and delete it, over gRPC. */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { DeployAppRequest } from "../generated/proto/proximity/apps/v1/apps_service.js";
import { CreateBackupRequest } from "../generated/proto/proximity/backups/v1/backups_service.js";
import { Platform } from "../src/grpc.js";
import { hostname, password, url, username } from "./settings.js";

const certificates = process.env.PROXIMITY_CA;
const platform = new Platform(url, certificates ? readFileSync(certificates, "utf8") : undefined);
await platform.login(username, password);

const wanted = DeployAppRequest.fromPartial({ catalogId: "adminer", hostname });
const app = await platform.call(platform.apps.deployApp.bind(platform.apps), wanted);
for await (const { status, log } of platform.follow(app.id)) {
  if (log) console.log(`  ${log.message}`);
  if (status?.progress) console.log(`${status.progress} % ${status.stepDescription}`);
  if (status?.status === "error") throw new Error(status.message);
  if (status?.status === "running") break;
}
console.log(`${app.id} is running`);

const request = CreateBackupRequest.fromPartial({ appId: app.id });
const { id } = await platform.call(platform.backups.createBackup.bind(platform.backups), request);
const getBackup = platform.backups.getBackup.bind(platform.backups);
let backup = await platform.call(getBackup, { appId: app.id, backupId: id });
for (const end = Date.now() + 120_000; backup.isInProgress && Date.now() < end; await sleep(300)) {
  backup = await platform.call(getBackup, { appId: app.id, backupId: id });
}
console.log(`backup ${id} is ${backup.status}`);

await platform.call(platform.apps.deleteApp.bind(platform.apps), { appId: app.id });
for await (const { removed } of platform.follow(app.id, "")) {
  if (removed) console.log(`${app.id} is removed`);
}
platform.close();
