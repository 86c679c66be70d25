/** Keyboard shortcuts: `/` goes to the search of the screen, `g` and a letter to a section, `?` shows them. */
import { router } from "./router.svelte";

export const GO: Record<string, { path: string; section: "home" | "apps" | "store" | "backups" | "hosts" }> = {
  h: { path: "/", section: "home" },
  a: { path: "/apps", section: "apps" },
  s: { path: "/store", section: "store" },
  b: { path: "/backups", section: "backups" },
  o: { path: "/hosts", section: "hosts" },
};
const PAUSE_MS = 1200; // between g and the letter

export function startKeys(showHelp: () => void): void {
  let last = 0;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (document.querySelector("dialog[open]")) return;
    if (event.key === "/") {
      const field = document.querySelector<HTMLInputElement>("input[type=search]");
      if (field) {
        event.preventDefault();
        field.focus();
        field.select();
      }
    } else if (event.key === "?") {
      showHelp();
    } else if (event.key === "g") {
      last = event.timeStamp;
    } else if (last && event.timeStamp - last < PAUSE_MS && GO[event.key]) {
      last = 0;
      router.go(GO[event.key]?.path ?? "/");
    } else {
      last = 0;
    }
  });
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}
