/** Calls of the REST API: one client, CSRF header, one refresh for an expired token, errors as values of one class. */
import createClient, { type Client } from "openapi-fetch";
import type { components, paths } from "../../generated/api";

export type Schemas = components["schemas"];
export type App = Schemas["App"];
export type Operation = Schemas["Operation"];
export type OperationStep = Schemas["OperationStep"];
export type User = Schemas["User"];
export type Backup = Schemas["Backup"];
export type Item = Schemas["Item"];
export type ItemInput = Schemas["ItemInput"];

const READS = ["GET", "HEAD"];
const TIMEOUT_MS = 40_000; // the gateway gives up after 31 s at the latest
const REFRESH = "/api/auth/token/refresh";

interface Detail {
  "@type"?: string;
  reason?: string;
  retry_delay?: string;
  field_violations?: { field: string; description: string }[];
}

/** An answer that is no success. `status` 0: there was none. */
export class ApiError extends Error {
  readonly status: number;
  readonly reason: string;
  /** The server's sentences by the field that they are about. */
  readonly fields: Record<string, string>;

  constructor(status: number, sentence: string, details: Detail[] = []) {
    super(sentence);
    this.status = status;
    this.reason = details.find((each) => each.reason)?.reason ?? "";
    const violations = details.flatMap((each) => each.field_violations ?? []);
    this.fields = Object.fromEntries(violations.map((each) => [each.field, each.description]));
  }
}

/** What the rest of the console does when a session is over, or needs the password again. */
export interface SessionHandlers {
  expired(): void;
  /** Ask for the password; true when the session has proved itself again. */
  stepUp(): Promise<boolean>;
}

let handlers: SessionHandlers = { expired: () => undefined, stepUp: () => Promise.resolve(false) };

export function onSession(given: SessionHandlers): void {
  handlers = given;
}

export const api: Client<paths> = createClient<paths>({ baseUrl: location.origin, fetch: send });

/** Return the data of a call. Throws ApiError. */
export async function get<T>(call: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const { data, error, response } = await call;
  if (response.ok) return data as T;
  throw readError(response.status, error);
}

/** A key for a form that creates: the same for every attempt to send the form. crypto.randomUUID needs https. */
export function makeKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function toError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  const text = error instanceof Error ? error.message : String(error);
  return new ApiError(0, text);
}

async function send(request: Request): Promise<Response> {
  const again = request.clone();
  const response = await sendOnce(request);
  if (response.status !== 401 || isCredentials(request.url)) return response;
  if ((await readReason(response)) === "STEP_UP_REQUIRED") {
    return (await handlers.stepUp()) ? sendOnce(again) : response;
  }
  if (await refresh()) return sendOnce(again);
  handlers.expired();
  return response;
}

function isCredentials(url: string): boolean {
  return /\/api\/auth\/(login|registration|token\/refresh|step-up|logout)$/.test(url);
}

async function sendOnce(request: Request): Promise<Response> {
  const headers = new Headers(request.headers);
  const token = readCsrfToken();
  if (token && !READS.includes(request.method)) headers.set("x-csrftoken", token);
  const signal = AbortSignal.any([request.signal, AbortSignal.timeout(TIMEOUT_MS)]);
  try {
    return await fetch(new Request(request, { headers, signal }));
  } catch (error) {
    if (request.signal.aborted) throw error;
    throw new ApiError(0, "The server does not answer. Check the connection and try again.");
  }
}

export function readCsrfToken(): string {
  const name = location.protocol === "https:" ? "__Host-csrftoken=" : "csrftoken=";
  const cookie = document.cookie.split("; ").find((each) => each.startsWith(name));
  return cookie ? decodeURIComponent(cookie.slice(name.length)) : "";
}

type TokenPair = Schemas["TokenPair"];
let refreshing: Promise<TokenPair | null> | null = null;

/** Get a new access token; false when the session is over. */
export async function refresh(): Promise<boolean> {
  return (await renew()) !== null;
}

/** As `refresh`, with what was answered: for a terminal, which a new cookie does not reach. Once at a time in this tab, and
 * over tabs where the browser has locks (https). Without them the server answers a repetition within 30 s with the same
 * token. */
export function renew(): Promise<TokenPair | null> {
  refreshing ??= renewAlone().finally(() => {
    refreshing = null;
  });
  return refreshing;
}

async function renewAlone(): Promise<TokenPair | null> {
  const locks = (navigator as Partial<Navigator>).locks;
  return locks ? locks.request("proximity-refresh", renewOnce) : renewOnce();
}

async function renewOnce(): Promise<TokenPair | null> {
  // Without the cookie beside it there is no session that could be continued.
  if (!readCsrfToken()) return null;
  const headers = { "content-type": "application/json" };
  const response = await sendOnce(new Request(location.origin + REFRESH, { method: "POST", headers, body: "{}" }));
  const body = await readBody(response);
  if (response.status >= 500) throw readError(response.status, body);
  return response.ok ? (body as TokenPair) : null;
}

async function readReason(response: Response): Promise<string> {
  return readError(response.status, await readBody(response.clone())).reason;
}

async function readBody(response: Response): Promise<unknown> {
  return response.json().catch(() => null);
}

export function readError(status: number, body: unknown): ApiError {
  const { error, details } = (body ?? {}) as { error?: string; details?: Detail[] };
  if (status === 502 || status === 503) return new ApiError(status, error ?? "The service is not available right now.", details);
  return new ApiError(status, error ?? `The server answered ${String(status)} without a reason.`, details);
}
