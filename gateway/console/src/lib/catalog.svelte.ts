/** The catalog in short, read when a screen of it is opened; what was read last is shown meanwhile. */
import { api, get, type Item } from "./api";
import { Query } from "./query.svelte";

let last: Item[] | null = null;

/** Read the catalog for a component. */
export function openCatalog(): Query<Item[]> {
  const query = new Query(async (signal) => (last = (await get(api.GET("/api/catalog", { params: { query: { view: "summary" } }, signal }))).applications));
  query.value = last;
  return query;
}
