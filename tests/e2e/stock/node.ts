/** Take the walk from Node, by the environment's settings; the steps go to standard output. */
import { type Platform, walk } from "./walk.js";

export const url = process.env.PROXIMITY_URL ?? "";

export async function walkFromNode(platform: Platform): Promise<void> {
  const { PROXIMITY_USERNAME: username = "", PROXIMITY_PASSWORD: password = "" } = process.env;
  const hostname = process.env.PROXIMITY_HOSTNAME ?? "";
  await walk(platform, { url, username, password, hostname }, (step) => console.log(step));
}
