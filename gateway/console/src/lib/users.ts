/** Users to choose from; for administrators. */
import { api, get, type User } from "./api";

const PAGE = 100; // the most that the API gives at once
const MOST = 2000; // more are no list to choose from

/** Read the active users, by name. */
export async function listUsers(signal: AbortSignal): Promise<User[]> {
  const found: User[] = [];
  for (let page = 1; found.length < MOST; page += 1) {
    const { users, total } = await get(api.GET("/api/auth/users", { params: { query: { page, per_page: PAGE } }, signal }));
    found.push(...users);
    if (users.length < PAGE || found.length >= total) break;
  }
  return found.filter((each) => each.is_active).sort((a, b) => a.username.localeCompare(b.username));
}
