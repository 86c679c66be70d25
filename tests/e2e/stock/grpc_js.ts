/** grpc-js with proto-loader: the protos are read at run time, nothing is generated. */
import { type ClientReadableStream, credentials, loadPackageDefinition, Metadata, type ServiceError } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { url, walkFromNode } from "./node.js";
import type { Event, Platform } from "./walk.js";

type Json = Record<string, any>;
type Rpc = (request: Json, metadata: Metadata, done: (error: ServiceError | null, answer: Json) => void) => void;
type Client = Record<string, Rpc> & { close(): void; StreamAppEvents(request: Json, metadata: Metadata): ClientReadableStream<Json> };

const files = ["auth/v1/auth_service", "apps/v1/apps_service", "backups/v1/backups_service"];
const definition = loadSync(
  files.map((file) => `proximity/${file}.proto`),
  { keepCase: true, defaults: true, oneofs: true, includeDirs: (process.env.PROTO_PATHS ?? "").split(":") },
);
const packages = loadPackageDefinition(definition) as Json;
const connect = (Service: new (host: string, channel: unknown) => Client) =>
  new Service(new URL(url).host, credentials.createInsecure());
const auth = connect(packages.proximity.auth.v1.AuthService);
const apps = connect(packages.proximity.apps.v1.AppsService);
const backups = connect(packages.proximity.backups.v1.BackupsService);
const metadata = new Metadata();

function call(client: Client, rpc: string, request: Json): Promise<Json> {
  return new Promise((resolve, reject) => {
    client[rpc]!(request, metadata, (error, answer) => (error ? reject(error) : resolve(answer)));
  });
}

const platform: Platform = {
  async signIn(username, password) {
    const session = await call(auth, "Login", { username, password });
    metadata.set("authorization", `Bearer ${session.access}`);
  },
  async deploy(hostname) {
    return (await call(apps, "DeployApp", { catalog_id: "adminer", hostname })).id;
  },
  async *watch(app_id, after): AsyncGenerator<Event> {
    const stream = apps.StreamAppEvents({ app_id, last_event_id: after }, metadata);
    stream.on("error", () => undefined); // of the cancellation below
    try {
      for await (const event of stream as AsyncIterable<Json>) {
        if (!event.event) continue; // shows that the stream lives
        const { id, status, log, removed } = event;
        yield { id, status: status?.status, message: status?.message, log: log?.message, removed: Boolean(removed) };
      }
    } finally {
      stream.cancel();
    }
  },
  async backUp(app_id) {
    return (await call(backups, "CreateBackup", { app_id })).id;
  },
  async readBackupStatus(app_id, backup_id) {
    return (await call(backups, "GetBackup", { app_id, backup_id })).status;
  },
  async restore(app_id, backup_id) {
    await call(backups, "RestoreBackup", { app_id, backup_id });
  },
  async remove(app_id) {
    await call(apps, "DeleteApp", { app_id });
  },
  close() {
    for (const client of [auth, apps, backups]) client.close();
  },
};
await walkFromNode(platform);
