/** Short messages in a corner: what was accepted, or failed away from any field. Errors stay until they are closed. */
import { toError } from "./api";

const SHOWN_MS = 6000;

export interface Toast {
  id: number;
  text: string;
  kind: "done" | "error";
  link?: { href: string; text: string };
}

class Toasts {
  shown: Toast[] = $state([]);
  #next = 0;

  done(text: string, link?: Toast["link"]): void {
    const id = this.#add({ text, kind: "done", ...(link ? { link } : {}) });
    window.setTimeout(() => this.close(id), SHOWN_MS);
  }

  error(text: string): void {
    this.#add({ text, kind: "error" });
  }

  /** Say how a call ended; true when it succeeded. Without `said` it is the server's own sentence. */
  async report(call: Promise<unknown>, said?: string): Promise<boolean> {
    try {
      const answer = (await call) as { message?: string } | undefined;
      const text = said ?? answer?.message;
      if (text) this.done(text);
      return true;
    } catch (failure) {
      this.error(toError(failure).message);
      return false;
    }
  }

  close(id: number): void {
    this.shown = this.shown.filter((each) => each.id !== id);
  }

  #add(toast: Omit<Toast, "id">): number {
    this.#next += 1;
    this.shown = [...this.shown.filter((each) => each.text !== toast.text), { ...toast, id: this.#next }].slice(-4);
    return this.#next;
  }
}

export const toasts = new Toasts();
