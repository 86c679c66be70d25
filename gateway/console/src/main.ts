import { mount } from "svelte";
import App from "./App.svelte";
import "./app.css";
import { router } from "./lib/router.svelte";
import { theme } from "./lib/theme.svelte";

// After an update of the platform the files of the page that is open are gone: the page is loaded again, once.
const RELOADED = "proximity-reloaded-at";
const AGAIN_MS = 60_000;
window.addEventListener("vite:preloadError", (event) => {
  if (Date.now() - Number(sessionStorage.getItem(RELOADED) ?? 0) < AGAIN_MS) return;
  sessionStorage.setItem(RELOADED, String(Date.now()));
  event.preventDefault();
  location.reload();
});

theme.start();
router.start();
const target = document.getElementById("app");
if (target) mount(App, { target });
