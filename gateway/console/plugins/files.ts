import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { extname, join, resolve } from "node:path";
import { gzipSync } from "node:zlib";
import type { Plugin } from "vite";

const KINDS: Record<string, string> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
  ".png": "image/png",
};

/** Compress what was built and write manifest.json, from which the gateway makes its routes. */
export function describeFiles(): Plugin {
  let folder = "";
  return {
    name: "describe-files",
    apply: "build",
    configResolved(config) {
      folder = resolve(config.root, config.build.outDir);
    },
    writeBundle() {
      const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).sort();
      const files = names.filter((name) => extname(name) in KINDS).map((name) => describe(folder, name));
      writeFileSync(join(folder, "manifest.json"), `${JSON.stringify({ files }, null, 1)}\n`);
    },
  };
}

function describe(folder: string, name: string): Record<string, string | number> {
  const bytes = readFileSync(join(folder, name));
  const packed = gzipSync(bytes, { level: 9 });
  writeFileSync(join(folder, `${name}.gz`), packed);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  // The size of the compressed file is left out: it differs with the version of zlib.
  return { path: `/${name.replaceAll("\\", "/")}`, kind: KINDS[extname(name)] ?? "", sha256, bytes: bytes.length };
}
