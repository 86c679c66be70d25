/** A list that is read page by page, and grows when more is wanted. */
import { toError, type ApiError } from "./api";
import { live } from "./live.svelte";
import type { Source } from "./query.svelte";

const PER_PAGE = 50;

interface Page<T> { rows: T[]; total: number; }
type Read<T> = (page: number, signal: AbortSignal) => Promise<Page<T>>;

export class Pages<T> implements Source<T[]> {
  /** The rows of all pages that were asked for; null before the first answer. */
  value: T[] | null = $state.raw(null);
  total = $state(0);
  busy = $state(false);
  error: ApiError | null = $state.raw(null);
  #read: Read<T>;
  #pages = 1;
  #running: AbortController | null = null;

  /** `read` gets the number of a page, and is called again as that of a `Query`. */
  constructor(read: Read<T>) {
    this.#read = read;
    $effect(() => {
      void live.resumed;
      void this.load();
      return () => this.#running?.abort();
    });
  }

  get hasMore(): boolean {
    return (this.value?.length ?? 0) < this.total;
  }

  /** Read all pages that are shown, so that a change is seen in each. */
  load = async (): Promise<void> => {
    await this.#take(1, this.#pages);
  };

  more = async (): Promise<void> => {
    if (!this.busy) await this.#take(this.#pages + 1, this.#pages + 1);
  };

  async #take(first: number, last: number): Promise<void> {
    this.#running?.abort();
    const running = new AbortController();
    this.#running = running;
    const { signal } = running;
    this.busy = true;
    try {
      const rows: T[] = [];
      let total = 0;
      for (let number = first; number <= last && (number === first || rows.length < total); number += 1) {
        const page = await this.#read(number, signal);
        if (signal.aborted) return;
        rows.push(...page.rows);
        ({ total } = page);
      }
      this.value = first === 1 ? rows : [...(this.value ?? []), ...rows];
      this.total = total;
      this.#pages = last;
      this.error = null;
    } catch (failure) {
      if (!signal.aborted) this.error = toError(failure);
    } finally {
      if (this.#running === running) this.busy = false;
    }
  }
}

/** The query of a page. */
export function at(page: number): { page: number; per_page: number } {
  return { page, per_page: PER_PAGE };
}
