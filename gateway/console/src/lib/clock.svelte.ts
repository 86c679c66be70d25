/** The time as state, for "3 minutes ago". */
const TICK_MS = 5000;

class Clock {
  now = $state(Date.now());

  constructor() {
    window.setInterval(() => {
      if (!document.hidden) this.now = Date.now();
    }, TICK_MS);
    document.addEventListener("visibilitychange", () => (this.now = Date.now()));
  }
}

export const clock = new Clock();
