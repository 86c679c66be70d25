/** Proximity over gRPC: the generated stubs, with promises and a stream of events that resumes by itself. */
import { type CallOptions, type ClientReadableStream, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type AppEvent, AppsServiceClient } from "../generated/proto/proximity/apps/v1/apps_service.js";
import { AuthServiceClient } from "../generated/proto/proximity/auth/v1/auth_service.js";
import { BackupsServiceClient } from "../generated/proto/proximity/backups/v1/backups_service.js";
import { CatalogServiceClient } from "../generated/proto/proximity/catalog/v1/catalog_service.js";
import { HostServiceClient } from "../generated/proto/proximity/inventory/v1/inventory_service.js";

const TIMEOUT_MS = 30_000;
const ATTEMPTS = 10;
const DELAY_MS = 1_000;
const RESUMED = new Set([status.UNAVAILABLE, status.INTERNAL, status.CANCELLED]);

type Unary<Q, A> = (
  request: Q,
  metadata: Metadata,
  options: Partial<CallOptions>,
  callback: (error: ServiceError | null, answer: A) => void,
) => unknown;

/** The platform as one user sees it. `ca` is PEM: certificates to trust on https, in place of the system's. */
export class Platform {
  readonly auth: AuthServiceClient;
  readonly apps: AppsServiceClient;
  readonly backups: BackupsServiceClient;
  readonly catalog: CatalogServiceClient;
  readonly hosts: HostServiceClient;
  private token = "";

  constructor(url: string, ca?: string) {
    const { protocol, host } = new URL(url);
    const secure = protocol === "https:";
    const channel = secure ? credentials.createSsl(ca ? Buffer.from(ca) : null) : credentials.createInsecure();
    this.auth = new AuthServiceClient(host, channel);
    this.apps = new AppsServiceClient(host, channel);
    this.backups = new BackupsServiceClient(host, channel);
    this.catalog = new CatalogServiceClient(host, channel);
    this.hosts = new HostServiceClient(host, channel);
  }

  /** Sign in; later calls carry the token, which is valid for an hour. */
  async login(username: string, password: string): Promise<void> {
    const session = await this.call(this.auth.login.bind(this.auth), { username, password });
    this.token = session.access;
  }

  /** Call an RPC. The key makes the repetition of a creating call harmless. */
  call<Q, A>(rpc: Unary<Q, A>, request: Q, key: string = randomUUID()): Promise<A> {
    const metadata = this.sign();
    metadata.set("idempotency-key", key);
    return new Promise((resolve, reject) => {
      rpc(request, metadata, { deadline: Date.now() + TIMEOUT_MS }, (error, answer) =>
        error ? reject(error) : resolve(answer),
      );
    });
  }

  /** The events of an app from the first on, or after one, until it is removed; taken up again where they break off. */
  async *follow(appId: string, after = "0"): AsyncGenerator<AppEvent> {
    for (let failures = 0; ; ) {
      const request = { appId, lastEventId: after };
      const stream: ClientReadableStream<AppEvent> = this.apps.streamAppEvents(request, this.sign());
      try {
        for await (const event of stream as AsyncIterable<AppEvent>) {
          failures = 0;
          if (!event.status && !event.log && !event.removed) continue; // a sign of life
          after = event.id;
          yield event;
          if (event.removed) return;
        }
      } catch (error) {
        if (++failures === ATTEMPTS || !RESUMED.has((error as ServiceError).code)) throw error;
      } finally {
        stream.cancel();
      }
      await sleep(DELAY_MS);
    }
  }

  close(): void {
    for (const client of [this.auth, this.apps, this.backups, this.catalog, this.hosts]) client.close();
  }

  private sign(): Metadata {
    const metadata = new Metadata();
    if (this.token) metadata.set("authorization", `Bearer ${this.token}`);
    return metadata;
  }
}
