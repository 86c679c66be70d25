/** A request behind a form or a button: off while it waits, with the server's sentence at the field or below. */
import { toError, type ApiError } from "./api";

export class Form {
  busy = $state(false);
  error: ApiError | null = $state.raw(null);
  /** The fields that the form has a place for: those that its template asks about. */
  #places = new Set<string>();

  /** The sentence about a field. */
  at(field: string): string | undefined {
    this.#places.add(field);
    return this.error?.fields[field];
  }

  /** The sentence that belongs to no field of the form. */
  get general(): string | null {
    if (!this.error) return null;
    const fields = Object.keys(this.error.fields);
    return fields.length > 0 && fields.every((each) => this.#places.has(each)) ? null : this.error.message;
  }

  /** Send once at a time; true when it succeeded. */
  async send(work: () => Promise<unknown>): Promise<boolean> {
    if (this.busy) return false;
    this.busy = true;
    this.error = null;
    try {
      await work();
      return true;
    } catch (failure) {
      this.error = toError(failure);
      requestAnimationFrame(showFirstFault);
      return false;
    } finally {
      this.busy = false;
    }
  }

  reset(): void {
    this.error = null;
  }
}

/** Go to the first field with a sentence, in a part that was folded as well. */
function showFirstFault(): void {
  const field = document.querySelector<HTMLElement>("dialog[open] [aria-invalid=true]") ?? document.querySelector<HTMLElement>("form [aria-invalid=true]");
  const folded = field?.closest("details");
  if (folded) folded.open = true;
  field?.focus();
}
