/** A list that is read page by page, and grows when more is wanted. */
import { toError, type ApiError } from "./api";

const PER_PAGE = 50;

export class Pages<T> {
  rows: T[] = $state.raw([]);
  total = $state(0);
  loaded = $state(false);
  busy = $state(false);
  error: ApiError | null = $state.raw(null);
  #read: (page: number, perPage: number) => Promise<{ rows: T[]; total: number }>;
  #page = 1;
  #round = 0;

  constructor(read: (page: number, perPage: number) => Promise<{ rows: T[]; total: number }>) {
    this.#read = read;
    void this.load();
  }

  get hasMore(): boolean {
    return this.rows.length < this.total;
  }

  /** Read from the beginning; an older answer never replaces a newer one. */
  load = async (): Promise<void> => {
    const round = ++this.#round;
    await this.#take(1, round);
  };

  more = async (): Promise<void> => {
    if (this.busy) return;
    await this.#take(this.#page + 1, this.#round);
  };

  async #take(page: number, round: number): Promise<void> {
    this.busy = true;
    try {
      const { rows, total } = await this.#read(page, PER_PAGE);
      if (round !== this.#round) return;
      this.rows = page === 1 ? rows : [...this.rows, ...rows];
      this.total = total;
      this.#page = page;
      this.loaded = true;
      this.error = null;
    } catch (failure) {
      if (round === this.#round) this.error = toError(failure);
    } finally {
      if (round === this.#round) this.busy = false;
    }
  }
}
