/** Reader of an event stream of the API: resumes where it was, waits longer after each failure, sleeps while hidden.
 *
 * EventSource is not used: it can neither see a 401 nor send Last-Event-ID with its first request. */
import { readError, refresh, type ApiError } from "./api";
import { createParser, type ServerEvent } from "./sse";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
const SILENCE_MS = 45_000; // the server sends a ping every 15 s
const STALE_MS = 20_000; // a tab that wakes up and heard nothing for so long has a connection that is dead
const HIDDEN_MS = 30_000; // a tab in the background keeps its stream for a moment, then frees the connection

export type StreamState = "connecting" | "live" | "waiting" | "paused";

export interface StreamOptions {
  path: string;
  onEvent(event: ServerEvent): void;
  onState?(state: StreamState): void;
  /** The stream ended for good: the session is over, or what it is about is gone. */
  onEnd?(error: ApiError): void;
}

export class EventReader {
  #options: StreamOptions;
  #lastId = "";
  #failures = 0;
  #running: AbortController | null = null;
  #retry = 0;
  #hide = 0;
  #heard = 0;
  #stopped = false;

  constructor(options: StreamOptions) {
    this.#options = options;
  }

  start(): void {
    document.addEventListener("visibilitychange", this.#onVisibility);
    document.addEventListener("resume", this.#onVisibility); // of a tab that was frozen
    window.addEventListener("online", this.#onOnline);
    void this.#run();
  }

  stop(): void {
    this.#stopped = true;
    document.removeEventListener("visibilitychange", this.#onVisibility);
    document.removeEventListener("resume", this.#onVisibility);
    window.removeEventListener("online", this.#onOnline);
    this.#close();
    clearTimeout(this.#hide);
  }

  #onVisibility = (): void => {
    clearTimeout(this.#hide);
    if (document.hidden) {
      this.#hide = window.setTimeout(() => {
        this.#close();
        this.#options.onState?.("paused");
      }, HIDDEN_MS);
    } else if (!this.#running || Date.now() - this.#heard > STALE_MS) {
      this.#restart();
    }
  };

  #onOnline = (): void => {
    if (!document.hidden) this.#restart();
  };

  #close(): void {
    clearTimeout(this.#retry);
    this.#running?.abort();
    this.#running = null;
  }

  #restart(): void {
    this.#close();
    this.#failures = 0;
    void this.#run();
  }

  async #run(): Promise<void> {
    const running = new AbortController();
    this.#running = running;
    this.#options.onState?.("connecting");
    this.#heard = Date.now();
    try {
      const error = await this.#read(running);
      if (error && (error.status === 401 || error.status === 404 || error.status === 403)) {
        this.stop();
        this.#options.onEnd?.(error);
        return;
      }
    } catch {
      // A lost connection: it is resumed below.
    }
    if (this.#stopped || this.#running !== running) return;
    this.#running = null;
    this.#options.onState?.("waiting");
    const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.#failures) * (0.75 + Math.random() / 2);
    this.#failures += 1;
    this.#retry = window.setTimeout(() => void this.#run(), wait);
  }

  /** Read until the stream ends. Returns the refusal, if it was one. */
  async #read(running: AbortController): Promise<ApiError | null> {
    let response = await this.#open(running.signal);
    if (response.status === 401 && (await refresh())) response = await this.#open(running.signal);
    if (!response.ok || !response.body) return readError(response.status, await response.json().catch(() => null));
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    const parse = createParser();
    let silence = 0;
    for (;;) {
      clearTimeout(silence);
      silence = window.setTimeout(() => running.abort(), SILENCE_MS);
      const { done, value } = await reader.read().finally(() => clearTimeout(silence));
      this.#heard = Date.now();
      if (done) return null;
      for (const event of parse(value)) this.#take(event);
    }
  }

  #open(signal: AbortSignal): Promise<Response> {
    const headers: Record<string, string> = { accept: "text/event-stream" };
    if (this.#lastId) headers["last-event-id"] = this.#lastId;
    return fetch(this.#options.path, { headers, signal, cache: "no-store" });
  }

  #take(event: ServerEvent): void {
    this.#failures = 0;
    if (event.id) this.#lastId = event.id;
    if (event.event === "connected") this.#options.onState?.("live");
    this.#options.onEvent(event);
  }
}
