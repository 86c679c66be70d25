/** Data of a screen that is read when it is opened and after changes: the value, the error, and reading it again. */
import { toError, type ApiError } from "./api";

export class Query<T> {
  /** What was read last; null before the first answer. */
  value: T | null = $state.raw(null);
  error: ApiError | null = $state.raw(null);
  #read: () => Promise<T>;
  #round = 0;

  constructor(read: () => Promise<T>) {
    this.#read = read;
    void this.load();
  }

  /** Read again. What is shown stays until the answer is there; an older answer never replaces a newer one. */
  load = async (): Promise<void> => {
    const round = ++this.#round;
    try {
      const value = await this.#read();
      if (round !== this.#round) return;
      this.value = value;
      this.error = null;
    } catch (failure) {
      if (round === this.#round) this.error = toError(failure);
    }
  };
}
