/** A form that is being sent: off while it waits, with the server's sentence at the field or below the form. */
import { toError, type ApiError } from "./api";

export class Form {
  busy = $state(false);
  error: ApiError | null = $state.raw(null);
  #shown: readonly string[];

  /** `shown`: the fields that the form has a place for; sentences about others are shown below it. */
  constructor(shown: readonly string[] = []) {
    this.#shown = shown;
  }

  /** The sentence about a field. */
  at(field: string): string | undefined {
    return this.error?.fields[field];
  }

  /** The sentence that belongs to no field of the form. */
  get general(): string | null {
    if (!this.error) return null;
    const placed = Object.keys(this.error.fields).some((each) => this.#shown.includes(each));
    return placed ? null : this.error.message;
  }

  /** Send once at a time; true when it succeeded. */
  async send(work: () => Promise<void>): Promise<boolean> {
    if (this.busy) return false;
    this.busy = true;
    this.error = null;
    try {
      await work();
      return true;
    } catch (failure) {
      this.error = toError(failure);
      return false;
    } finally {
      this.busy = false;
    }
  }

  reset(): void {
    this.error = null;
  }
}
