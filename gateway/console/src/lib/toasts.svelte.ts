/** Short messages in a corner: what was accepted, or failed away from any field. Errors stay until they are closed. */
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
