import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Plugin } from "vite";

const TITLE = "The console in gateway/static/console is bundled from these packages.\n";
const MARK = "/node_modules/";

/** Write LICENSES.txt: name, version and licence text of every package whose code is in the bundle. */
export function listLicences(): Plugin {
  const folders = new Set<string>();
  return {
    name: "list-licences",
    apply: "build",
    generateBundle(_options, bundle) {
      for (const chunk of Object.values(bundle)) {
        if (chunk.type === "chunk") for (const id of Object.keys(chunk.modules)) addFolder(folders, id);
      }
      // Styles leave no module behind in a chunk.
      for (const id of this.getModuleIds()) if (id.endsWith(".css")) addFolder(folders, id);
      const texts = [...folders].map(describePackage).sort();
      this.emitFile({ type: "asset", fileName: "LICENSES.txt", source: [TITLE, ...texts].join("\n") });
    },
  };
}

function addFolder(folders: Set<string>, id: string): void {
  const at = id.lastIndexOf(MARK);
  if (at < 0) return;
  let folder = dirname(id.split("?")[0] ?? id);
  while (!existsSync(join(folder, "package.json")) || !("name" in readJson(folder))) folder = dirname(folder);
  folders.add(folder.replace(/^\0/, ""));
}

function readJson(folder: string): Record<string, string> {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Record<string, string>;
}

function describePackage(folder: string): string {
  const { name, version, license } = readJson(folder);
  const file = readdirSync(folder).find((each) => /^licen[cs]e/i.test(each));
  if (!file || !license) throw new Error(`${name ?? folder} is bundled, but has no licence`);
  const text = readFileSync(join(folder, file), "utf8").trim();
  return `${"=".repeat(100)}\n${name} ${version}, ${license}\n${"=".repeat(100)}\n${text}\n`;
}
