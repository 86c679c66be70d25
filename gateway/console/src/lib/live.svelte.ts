/** What the caller may see, as it is now: read once, then changed by the event stream. Screens read it as state. */
import { SvelteMap } from "svelte/reactivity";
import { api, get, toError, type App, type ApiError, type Operation, type Schemas } from "./api";
import { EventReader, type StreamState } from "./events";
import type { ServerEvent } from "./sse";

const PAGE = 100; // the most that the API gives at once
const REREAD_MS = 150; // several events about one app cause one read
const KEPT_OPERATIONS = 200;
const KEPT_LINES = 500;

export type LogLine = Schemas["LogEntry"];
export type BackupEvent = Schemas["BackupEvent"];

const DEFAULTS = { conditions: [], config: {}, environment: {}, masked: [], adopted: false };
const OPERATION_DEFAULTS = { progress: 0, step_index: 0, step_count: 0, steps: [], attempt: 1, cancel_requested: false };
const ENDED = new Set(["succeeded", "failed", "cancelled"]);

export function isEnded(operation: Operation): boolean {
  return ENDED.has(operation.status);
}

class Live {
  apps = new SvelteMap<string, App>();
  operations = new SvelteMap<string, Operation>();
  /** Lines of the platform's log by app, as they came since the page was loaded. */
  lines = new SvelteMap<string, LogLine[]>();
  state: StreamState = $state("connecting");
  loaded = $state(false);
  error: ApiError | null = $state(null);
  /** Grows with every change of a backup, for screens that list them. */
  backupChanges = $state(0);
  /** Grows when the stream goes on after a break: what a screen has read may be old. */
  resumed = $state(0);
  lastBackup: BackupEvent | null = $state.raw(null);

  #reader: EventReader | null = null;
  #connected = false;
  #rereads = new Map<string, number>();
  #removed = new Set<string>();
  /** Apps that came by the stream while the list was being read. */
  #arrived = new Set<string>();

  /** `onEnd` is called when the stream is refused: the session is over. */
  start(onEnd: () => void): void {
    if (this.#reader) return;
    this.#reader = new EventReader({
      path: "/api/events",
      onEvent: (event) => this.#take(event),
      onState: (state) => (this.state = state),
      onEnd,
    });
    this.#reader.start();
    void this.load();
  }

  stop(): void {
    this.#reader?.stop();
    this.#reader = null;
    this.apps.clear();
    this.operations.clear();
    this.lines.clear();
    this.#removed.clear();
    this.#connected = false;
    this.loaded = false;
    this.error = null;
  }

  /** All apps; null before they were read. */
  get value(): SvelteMap<string, App> | null {
    return this.loaded ? this.apps : null;
  }

  /** The operations of an app that have not ended, the newest first. */
  running(appId: string): Operation[] {
    return [...this.operations.values()]
      .filter((each) => each.app_id === appId && !isEnded(each))
      .sort((a, b) => b.created_at.localeCompare(a.created_at));
  }

  /** Read all apps. Pages come as they are read, so that the first is shown at once. */
  load = async (): Promise<void> => {
    try {
      const found = new Set<string>();
      this.#arrived.clear();
      for (let page = 1; ; page += 1) {
        const { apps, total } = await get(api.GET("/api/apps", { params: { query: { page, per_page: PAGE } } }));
        for (const app of apps) {
          found.add(app.id);
          this.put(app);
        }
        this.loaded = true;
        if (apps.length < PAGE || found.size >= total) break;
      }
      for (const id of [...this.apps.keys()]) if (!found.has(id) && !this.#arrived.has(id)) this.apps.delete(id);
      this.error = null;
    } catch (error) {
      this.error = toError(error);
    }
  };

  /** Read one app again and return it. Throws ApiError. */
  async read(id: string, signal?: AbortSignal): Promise<App> {
    const app = await get(api.GET("/api/apps/{app_id}", { params: { path: { app_id: id } }, ...(signal ? { signal } : {}) }));
    this.put(app);
    return app;
  }

  /** Take what a call answered. An older state than the stream's does not replace it. */
  put(app: App): void {
    if (this.#removed.has(app.id)) return;
    const before = this.apps.get(app.id);
    if (before && before.updated_at > app.updated_at) return;
    this.apps.set(app.id, app);
  }

  putOperation(operation: Operation): void {
    const before = this.operations.get(operation.id);
    if (before && before.updated_at > operation.updated_at) return;
    this.operations.set(operation.id, operation);
    if (this.operations.size <= KEPT_OPERATIONS) return;
    const oldest = [...this.operations.values()].find(isEnded);
    if (oldest) this.operations.delete(oldest.id);
  }

  #take(event: ServerEvent): void {
    const data: unknown = JSON.parse(event.data);
    if (event.event === "connected") {
      if (this.#connected) this.resumed += 1;
      this.#connected = true;
      if (this.loaded) void this.load();
    }
    if (event.event === "created") this.#takeApp(data as App);
    if (event.event === "status") this.#takeStatus(data as Schemas["AppStatus"]);
    if (event.event === "log") this.#takeLine(data as Schemas["AppLogLine"]);
    if (event.event === "removed") this.#remove((data as { id: string }).id);
    if (event.event === "operation") this.putOperation({ ...OPERATION_DEFAULTS, ...(data as Operation) });
    if (event.event === "backup") {
      this.lastBackup = data as BackupEvent;
      this.backupChanges += 1;
    }
  }

  #takeApp(app: App): void {
    this.#arrived.add(app.id);
    this.put({ ...DEFAULTS, ...app }); // an event leaves out what is empty
  }

  #takeStatus(status: Schemas["AppStatus"]): void {
    const app = this.apps.get(status.id);
    if (app) {
      const error = status.error ?? (status.status === "error" ? app.error : undefined);
      const { error: _, ...rest } = app;
      this.apps.set(status.id, { ...rest, ...(error ? { error } : {}), status: status.status });
    }
    // The event has the status alone; address, node and metrics may have changed with it.
    clearTimeout(this.#rereads.get(status.id));
    const timer = window.setTimeout(() => {
      this.#rereads.delete(status.id);
      this.read(status.id).catch(() => undefined);
    }, REREAD_MS);
    this.#rereads.set(status.id, timer);
  }

  #takeLine(given: Schemas["AppLogLine"]): void {
    const before = this.lines.get(given.app_id) ?? [];
    if (before.some((each) => each.id === given.line.id)) return;
    this.lines.set(given.app_id, [...before, given.line].slice(-KEPT_LINES));
  }

  #remove(id: string): void {
    this.#removed.add(id);
    this.apps.delete(id);
    this.lines.delete(id);
  }
}

export const live = new Live();
