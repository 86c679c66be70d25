/** Words of the screens are collected in the `en.ts` beside them, so that they can be read, corrected and translated. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse, type AST } from "svelte/compiler";
import { expect, test } from "vitest";

const ATTRIBUTES = new Set(["label", "title", "text", "help", "placeholder", "action", "legend", "unit", "more", "aria-label", "caption", "none", "alt"]);
// Units and examples are no words.
const ALLOWED = /^(px|MB|GB|min|SHA-256|·|apps\.DeployApp)$/;
const sources = readdirSync("src", { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".svelte"));

function isWord(text: string): boolean {
  return /[A-Za-z]{2}/.test(text) && !ALLOWED.test(text.trim());
}

function listWords(node: unknown, found: string[] = []): string[] {
  if (Array.isArray(node)) for (const each of node) listWords(each, found);
  else if (node && typeof node === "object") {
    const { type, name, data, value } = node as { type?: string; name?: string; data?: string; value?: unknown };
    if (type === "Text" && data && isWord(data)) found.push(data.trim());
    if (type === "Attribute") {
      const parts = Array.isArray(value) ? (value as AST.Text[]) : [];
      if (name && ATTRIBUTES.has(name)) found.push(...parts.filter((part) => part.type === "Text" && isWord(part.data)).map((part) => `${name}="${part.data}"`));
      listWords(Array.isArray(value) ? value.filter((part: AST.Text) => part.type !== "Text") : value, found);
      return found;
    }
    for (const [key, each] of Object.entries(node)) if (key !== "metadata" && key !== "loc") listWords(each, found);
  }
  return found;
}

test.each(sources)("%s has no words of its own", (name) => {
  const { fragment } = parse(readFileSync(join("src", name), "utf8"), { modern: true });
  expect(listWords(fragment)).toEqual([]);
});
