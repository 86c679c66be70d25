/** Where the examples find the platform. */
export const url = process.env.PROXIMITY_URL ?? "http://127.0.0.1:8000";
export const username = process.env.PROXIMITY_USERNAME ?? "admin";
export const password = process.env.PROXIMITY_PASSWORD ?? "";
export const hostname = process.env.PROXIMITY_HOSTNAME ?? "typescript-01";
