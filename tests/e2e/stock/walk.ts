/** The walk that every client takes: sign in, deploy, watch, back up, restore, delete. */

const DELAY_MS = 100;
const ATTEMPTS = 600; // a minute

export type Event = { id: string; status?: string; message?: string; log?: string; removed?: boolean };

/** What a client does for the walk, each with the means of its library. */
export interface Platform {
  signIn(username: string, password: string): Promise<void>;
  deploy(hostname: string): Promise<string>;
  /** The events of an app after one of them; "0" is before the first. */
  watch(appId: string, after: string): AsyncIterable<Event>;
  backUp(appId: string): Promise<number>;
  readBackupStatus(appId: string, backupId: number): Promise<string>;
  restore(appId: string, backupId: number): Promise<void>;
  remove(appId: string): Promise<void>;
  close?(): void;
}

export type Settings = { url: string; username: string; password: string; hostname: string };

/** Watch until the app has had these statuses, in this order; returns the last event's id. */
async function follow(platform: Platform, appId: string, after: string, statuses: string[]): Promise<string> {
  const wanted = [...statuses];
  let last = after;
  for await (const event of platform.watch(appId, after)) {
    last = event.id || last;
    if (event.status === "error") throw new Error(`${appId}: ${event.message}`);
    if (event.status === wanted[0] || (event.removed && wanted[0] === "removed")) wanted.shift();
    if (wanted.length === 0) return last;
  }
  throw new Error(`the events of ${appId} ended before ${wanted[0]}`);
}

/** The app is free a moment before its backup is complete. */
async function waitForBackup(platform: Platform, appId: string, backupId: number): Promise<string> {
  for (let attempt = 0; ; attempt++) {
    const status = await platform.readBackupStatus(appId, backupId);
    if (status !== "creating" || attempt === ATTEMPTS) return status;
    await new Promise((resolve) => setTimeout(resolve, DELAY_MS));
  }
}

/** Take an app through its life; `say` receives each step that was taken. */
export async function walk(platform: Platform, settings: Settings, say: (step: string) => void): Promise<void> {
  await platform.signIn(settings.username, settings.password);
  say("signed in");
  const appId = await platform.deploy(settings.hostname);
  say("deployed");
  let last = await follow(platform, appId, "0", ["deploying", "running"]);
  say("running");
  const backupId = await platform.backUp(appId);
  last = await follow(platform, appId, last, ["backing_up", "running"]);
  say(`backup ${await waitForBackup(platform, appId, backupId)}`);
  await platform.restore(appId, backupId);
  last = await follow(platform, appId, last, ["restoring", "running"]);
  say("restored");
  await platform.remove(appId);
  await follow(platform, appId, last, ["removing", "removed"]);
  say("deleted");
  platform.close?.();
}
