/** Who is signed in. */
import { api, ApiError, get, onSession, readCsrfToken, type Schemas, type User } from "./api";
import { live } from "./live.svelte";
import { router } from "./router.svelte";

class Session {
  user: User | null = $state.raw(null);
  /** False until it is known whether somebody is signed in. */
  known = $state(false);
  notices: string[] = $state([]);
  /** Asks for the password; set by the dialog of the layout. */
  askPassword: (() => Promise<boolean>) | null = null;

  #channel = new BroadcastChannel("proximity-session");
  #stepUp: Promise<boolean> | null = null;

  get isAdmin(): boolean {
    return this.user?.is_staff ?? false;
  }

  /** Find out who is signed in. Without the CSRF cookie nobody is, and the question would be a 401. */
  async start(): Promise<void> {
    onSession({ expired: () => this.#end(), stepUp: () => this.#proveAgain() });
    this.#channel.onmessage = (event: MessageEvent<string>) => {
      if (event.data === "out") this.#end();
      if (event.data === "in" && !this.user) void this.#resume();
    };
    if (readCsrfToken()) await this.#resume();
    this.known = true;
  }

  async #resume(): Promise<void> {
    try {
      this.#begin(await get(api.GET("/api/auth/user")));
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 401) throw error;
    }
  }

  async signIn(username: string, password: string): Promise<void> {
    const session = await get(api.POST("/api/auth/login", { body: { username, password } }));
    this.#enter(session);
  }

  async register(body: Schemas["RegisterUserRequest"]): Promise<void> {
    this.#enter(await get(api.POST("/api/auth/registration", { body })));
  }

  async signOut(): Promise<void> {
    await get(api.POST("/api/auth/logout", { body: {} }));
    this.#channel.postMessage("out");
    this.#end(false);
  }

  /** What somebody who is not signed in may know: whether accounts can be created, and the rules of passwords. */
  readSetup(signal: AbortSignal): Promise<Schemas["Setup"]> {
    return get(api.GET("/api/auth/setup", { signal }));
  }

  #enter(session: Schemas["Session"]): void {
    this.notices = session.notices;
    this.#begin(session.user);
    this.#channel.postMessage("in");
    // Only a path of this site: `//host` would be another one.
    const next = router.query.get("next") ?? "/";
    router.go(/^\/(?!\/)/.test(next) ? next : "/", { replace: true });
  }

  #begin(user: User): void {
    this.user = user;
    live.start(() => this.#end());
  }

  #end(returns = true): void {
    if (!this.user) return;
    this.user = null;
    live.stop();
    const here = router.path + (router.query.size ? `?${router.query.toString()}` : "");
    router.go(returns && here !== "/" ? `/sign-in?next=${encodeURIComponent(here)}` : "/sign-in", { replace: true });
  }

  #proveAgain(): Promise<boolean> {
    this.#stepUp ??= (this.askPassword?.() ?? Promise.resolve(false)).finally(() => (this.#stepUp = null));
    return this.#stepUp;
  }
}

export const session = new Session();
