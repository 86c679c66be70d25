/** Every screen, by its address. A screen is a folder of its own in `screens` and is loaded when it is opened. */
import type { Route } from "./lib/router.svelte";

export const routes: readonly Route[] = [
  { path: "/sign-in", section: "", access: "public", load: () => import("./screens/sign-in/SignIn.svelte") },
  { path: "/", section: "home", load: () => import("./screens/home/Home.svelte") },
  { path: "/apps", section: "apps", load: () => import("./screens/apps/Apps.svelte") },
  { path: "/apps/:id/terminal", section: "apps", alone: true, load: () => import("./screens/terminal/Terminal.svelte") },
  { path: "/apps/:id", section: "apps", load: () => import("./screens/app/App.svelte") },
  { path: "/store", section: "store", load: () => import("./screens/store/Store.svelte") },
  { path: "/store/:id", section: "store", load: () => import("./screens/deploy/Deploy.svelte") },
  { path: "/hosts", section: "hosts", load: () => import("./screens/hosts/Hosts.svelte") },
  { path: "/adopt", section: "hosts", access: "admin", load: () => import("./screens/adopt/Adopt.svelte") },
  { path: "/account", section: "", load: () => import("./screens/account/Account.svelte") },
  { path: "/admin", section: "admin", access: "admin", load: () => import("./screens/admin/Admin.svelte") },
  { path: "/backups", section: "backups", load: () => import("./screens/backups/Backups.svelte") },
];
