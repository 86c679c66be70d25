/** The client that openapi-generator makes for fetch; of a stream it gives the answer, whose body is read here. */
import { AppsApi, AuthApi, BackupsApi, Configuration } from "../generated/typescript_fetch/index.js";
import { url, walkFromNode } from "../node.js";
import { parseEvents } from "../sse.js";
import type { Platform } from "../walk.js";

let token = "";
const configuration = new Configuration({ basePath: url, accessToken: () => token });
const apps = new AppsApi(configuration);
const backups = new BackupsApi(configuration);

const platform: Platform = {
  async signIn(username, password) {
    token = (await new AuthApi(configuration).login({ loginRequest: { username, password } })).access;
  },
  async deploy(hostname) {
    const config = { memory: 128, cores: 1 };
    return (await apps.deployApp({ deployAppRequest: { catalogId: "adminer", hostname, config } })).id;
  },
  async *watch(appId, lastEventId) {
    const { raw } = await apps.watchAppEventsRaw({ appId, lastEventId });
    if (!raw.body) throw new Error("the stream has no body");
    yield* parseEvents(raw.body);
  },
  async backUp(appId) {
    return (await backups.createBackup({ appId, createBackupRequest: {} })).id;
  },
  async readBackupStatus(appId, backupId) {
    return (await backups.getBackup({ appId, backupId })).status;
  },
  async restore(appId, backupId) {
    await backups.restoreBackup({ appId, backupId, restoreBackupRequest: {} });
  },
  async remove(appId) {
    await apps.deleteApp({ appId });
  },
};
await walkFromNode(platform);
