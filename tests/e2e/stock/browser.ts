/** What the pages of the tests share: the walk, started by the test as `window.walk(settings)`. */
import { type Platform, type Settings, walk } from "./walk.js";

declare global {
  interface Window {
    walk(settings: Settings): Promise<string[]>;
  }
}

/** Let the test take the walk with the client that `connect` makes; it reads the steps as the result. */
export function offerWalk(connect: (url: string) => Platform): void {
  window.walk = async (settings) => {
    const steps: string[] = [];
    await walk(connect(settings.url), settings, (step) => steps.push(step));
    return steps;
  };
}
