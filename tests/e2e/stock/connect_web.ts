/** connect-web with grpc-web, in a browser, from a page of another origin. */
import { createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { offerWalk } from "./browser.js";
import { AppsService } from "./generated/es/proximity/apps/v1/apps_service_pb.js";
import { AuthService } from "./generated/es/proximity/auth/v1/auth_service_pb.js";
import { BackupsService } from "./generated/es/proximity/backups/v1/backups_service_pb.js";
import type { Event, Platform } from "./walk.js";

function connect(baseUrl: string): Platform {
  let access = "";
  const authenticate: Interceptor = (next) => (request) => {
    if (access) request.header.set("authorization", `Bearer ${access}`);
    return next(request);
  };
  const transport = createGrpcWebTransport({ baseUrl, interceptors: [authenticate], defaultTimeoutMs: 30_000 });
  const auth = createClient(AuthService, transport);
  const apps = createClient(AppsService, transport);
  const backups = createClient(BackupsService, transport);
  return {
    async signIn(username, password) {
      ({ access } = await auth.login({ username, password }));
    },
    async deploy(hostname) {
      return (await apps.deployApp({ catalogId: "adminer", hostname })).id;
    },
    async *watch(appId, after): AsyncGenerator<Event> {
      const end = new AbortController();
      try {
        const options = { signal: end.signal, timeoutMs: 0 };
        for await (const { id, event } of apps.streamAppEvents({ appId, lastEventId: after }, options)) {
          if (event.case === "status") yield { id, status: event.value.status, message: event.value.message ?? "" };
          if (event.case === "log") yield { id, log: event.value.message };
          if (event.case === "removed") yield { id, removed: true };
        }
      } finally {
        end.abort();
      }
    },
    async backUp(appId) {
      return (await backups.createBackup({ appId })).id;
    },
    async readBackupStatus(appId, backupId) {
      return (await backups.getBackup({ appId, backupId })).status;
    },
    async restore(appId, backupId) {
      await backups.restoreBackup({ appId, backupId });
    },
    async remove(appId) {
      await apps.deleteApp({ appId });
    },
  };
}

offerWalk(connect);
