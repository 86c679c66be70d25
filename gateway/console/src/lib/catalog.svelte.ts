/** The catalog in short, read once and again when a screen of it is opened. */
import { api, get, toError, type ApiError, type Item } from "./api";

class Catalog {
  items: readonly Item[] = $state.raw([]);
  loaded = $state(false);
  error = $state.raw<ApiError | null>(null);

  async load(): Promise<void> {
    try {
      const { applications } = await get(api.GET("/api/catalog", { params: { query: { view: "summary" } } }));
      this.items = applications;
      this.loaded = true;
      this.error = null;
    } catch (error) {
      this.error = toError(error);
    }
  }
}

export const catalog = new Catalog();
