/** Data that a screen reads: the value, the error, reading again. Made while a component is; it ends with it. */
import { toError, type ApiError } from "./api";
import { live } from "./live.svelte";

/** What `Loaded` shows: a query, pages, or a store that lives longer than a screen. */
export interface Source<T> {
  readonly value: T | null;
  readonly error: ApiError | null;
  load(): Promise<void>;
  readonly hasMore?: boolean;
  readonly busy?: boolean;
  more?(): Promise<void>;
}

export class Query<T> implements Source<T> {
  /** What was read last; null before the first answer, and where there is nothing to read. */
  value: T | null = $state.raw(null);
  error: ApiError | null = $state.raw(null);
  #read: (signal: AbortSignal) => Promise<T> | null;
  #fill: ((first: T) => void) | undefined;
  #running: AbortController | null = null;

  /** `read` is called again when state that it uses before its first `await` changes, and after a lost connection; null:
   * there is nothing to read now. `every`: milliseconds between two reads while the tab is visible; 0: none. `fill`: fills
   * a form with the first answer; a later one leaves what was typed. */
  constructor(read: (signal: AbortSignal) => Promise<T> | null, every: () => number = () => 0, fill?: (first: T) => void) {
    this.#read = read;
    this.#fill = fill;
    $effect(() => {
      void live.resumed;
      void this.load();
      return () => this.#running?.abort();
    });
    $effect(() => repeat(every(), this.load));
  }

  /** Read again. What is shown stays until the answer is there; an older answer never replaces a newer one. */
  load = async (): Promise<void> => {
    this.#running?.abort();
    const running = new AbortController();
    this.#running = running;
    try {
      const value = await this.#read(running.signal);
      if (running.signal.aborted) return;
      this.#fill?.(value as T);
      this.#fill = undefined;
      this.value = value;
      this.error = null;
    } catch (failure) {
      if (!running.signal.aborted) this.error = toError(failure);
    }
  };

  /** Show nothing until the next answer: for another subject. */
  clear(): void {
    this.value = null;
    this.error = null;
  }
}

/** Wait within a query, for somebody who types: when it is called again meanwhile, this call ends here. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = window.setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new DOMException("cancelled", "AbortError"));
    });
  });
}

/** Call now and then while the tab is visible; what is returned ends it. */
export function repeat(ms: number, work: () => unknown): (() => void) | undefined {
  if (!ms) return;
  const timer = window.setInterval(() => {
    if (!document.hidden) void work();
  }, ms);
  return () => clearInterval(timer);
}
