/** A request behind a button: whether it is under way, and why it was refused. */
import { toError, type ApiError } from "./api";

export class Task {
  busy = $state(false);
  error = $state.raw<ApiError | null>(null);

  /** Run once at a time; true when it succeeded. */
  async run(work: () => Promise<unknown>): Promise<boolean> {
    if (this.busy) return false;
    this.busy = true;
    this.error = null;
    try {
      await work();
      return true;
    } catch (error) {
      this.error = toError(error);
      return false;
    } finally {
      this.busy = false;
    }
  }

  /** The server's sentence about a field. */
  field(name: string): string | undefined {
    return this.error?.fields[name];
  }

  /** The refusal, unless it is about one of the fields that are shown. */
  general(...fields: string[]): ApiError | null {
    const { error } = this;
    return error && Object.keys(error.fields).some((each) => fields.includes(each)) ? null : error;
  }
}
