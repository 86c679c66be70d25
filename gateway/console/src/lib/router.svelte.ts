/** The address of the page as state, and links that change it without loading the page again. */
import type { Component } from "svelte";

export interface Route {
  /** Segments; `:name` takes one. */
  path: string;
  // Its properties are the parameters of `path`, which the type cannot say.
  load(): Promise<{ default: Component<any> }>;
  /** The section of the navigation that is marked. */
  section: string;
  access?: "public" | "user" | "admin";
  /** It fills the window, without navigation: a page in a tab of its own. */
  alone?: boolean;
}

export interface Match {
  route: Route;
  params: Record<string, string>;
}

export function matchPath(path: string, pattern: string): Record<string, string> | null {
  const have = path.split("/").filter(Boolean);
  const want = pattern.split("/").filter(Boolean);
  if (have.length !== want.length) return null;
  const params: Record<string, string> = {};
  for (const [index, segment] of want.entries()) {
    const value = decodeURIComponent(have[index] ?? "");
    if (segment.startsWith(":")) params[segment.slice(1)] = value;
    else if (segment !== value) return null;
  }
  return params;
}

export function findRoute(routes: readonly Route[], path: string): Match | null {
  for (const route of routes) {
    const params = matchPath(path, route.path);
    if (params) return { route, params };
  }
  return null;
}

class Router {
  path = $state(location.pathname);
  query = $state.raw(new URLSearchParams(location.search));

  start(): void {
    window.addEventListener("popstate", () => this.#read());
    document.addEventListener("click", (event) => this.#follow(event));
  }

  go(address: string, options: { replace?: boolean } = {}): void {
    const change = options.replace ? "replaceState" : "pushState";
    history[change](null, "", address);
    this.#read();
    if (!options.replace) window.scrollTo(0, 0);
  }

  /** Change parameters of the address in place; an empty value removes one. */
  setQuery(changes: Record<string, string>): void {
    const query = new URLSearchParams(this.query);
    for (const [name, value] of Object.entries(changes)) {
      if (value) query.set(name, value);
      else query.delete(name);
    }
    const text = query.toString();
    this.go(this.path + (text ? `?${text}` : ""), { replace: true });
  }

  #read(): void {
    this.path = location.pathname;
    this.query = new URLSearchParams(location.search);
  }

  #follow(event: MouseEvent): void {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = (event.target as Element | null)?.closest("a");
    if (!link?.href || link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
    if (link.pathname.startsWith("/api/")) return;
    if (link.hash && link.pathname === location.pathname) return;
    event.preventDefault();
    this.go(link.pathname + link.search);
  }
}

export const router = new Router();
