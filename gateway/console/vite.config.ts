import { readFileSync } from "node:fs";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";
import { describeFiles } from "./plugins/files.ts";
import { listLicences } from "./plugins/licences.ts";

// Where `make run` listens; the proxy leaves Host as the browser sent it, because writes compare it with Origin.
const api = process.env["PROXIMITY_URL"] ?? "http://127.0.0.1:8000";

export default defineConfig({
  plugins: [svelte(), listLicences(), describeFiles()],
  define: { __VERSION__: JSON.stringify(JSON.parse(readFileSync("package.json", "utf8")).version) },
  build: {
    outDir: process.env["CONSOLE_OUT"] ?? "../static/console",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    rollupOptions: {
      output: {
        entryFileNames: "assets/[name]-[hash].js",
        chunkFileNames: "assets/[name]-[hash].js",
        assetFileNames: "assets/[name]-[hash][extname]",
      },
    },
  },
  server: {
    port: 5177,
    strictPort: true,
    proxy: { "/api": { target: api, changeOrigin: false, ws: true } },
  },
});
