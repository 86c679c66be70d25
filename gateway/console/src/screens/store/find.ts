/** Search and order of the catalog in the browser: it is read whole, in one call. */
import type { Item } from "../../lib/api";

export interface Wish {
  text: string;
  category: string;
  source: string;
  order: string;
}

const NEW_DAYS = 14;
const DAY_MS = 86_400_000;

/** Items that have every word, best match first: in the name, then tags, then category and description. */
export function findItems(items: readonly Item[], wish: Wish): Item[] {
  const terms = wish.text.toLowerCase().split(/\s+/).filter(Boolean);
  const found = items
    .filter((item) => (!wish.category || item.category === wish.category) && (!wish.source || item.source === wish.source))
    .map((item) => ({ item, rank: Math.max(0, ...terms.map((term) => rankItem(item, term))) }))
    .filter(({ rank }) => rank < 9);
  const compare = wish.order === "new" ? compareAge : compareName;
  return found.sort((a, b) => a.rank - b.rank || compare(a.item, b.item)).map(({ item }) => item);
}

function rankItem(item: Item, term: string): number {
  const name = item.name.toLowerCase();
  if (name.startsWith(term) || item.id.startsWith(term)) return 0;
  if (name.includes(term)) return 1;
  if (item.tags.some((tag) => tag.toLowerCase().includes(term))) return 2;
  if (item.category.toLowerCase().includes(term)) return 3;
  return item.description.toLowerCase().includes(term) ? 4 : 9;
}

function compareName(a: Item, b: Item): number {
  return a.name.localeCompare(b.name, undefined, { sensitivity: "base" });
}

function compareAge(a: Item, b: Item): number {
  return (b.added_at ?? "").localeCompare(a.added_at ?? "") || compareName(a, b);
}

/** Ids of items that came within two weeks, and later than the first ones: at first all of a catalog are new. */
export function listNew(items: readonly Item[], now: number): Set<string> {
  const times = items.map((item) => Date.parse(item.added_at ?? "")).filter((time) => !Number.isNaN(time));
  const first = Math.min(...times) + DAY_MS;
  const isNew = (item: Item): boolean => {
    const time = Date.parse(item.added_at ?? "");
    return time > first && now - time < NEW_DAYS * DAY_MS;
  };
  return new Set(items.filter(isNew).map((item) => item.id));
}
