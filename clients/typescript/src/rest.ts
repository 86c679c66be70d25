/** Proximity over REST: a client typed by the OpenAPI document, and its server-sent events. */
import createClient, { type Client } from "openapi-fetch";
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { components, paths } from "../generated/rest.js";

const ATTEMPTS = 10;
const DELAY_MS = 1_000;

export type Schemas = components["schemas"];
export type Frame = { id: string; event: string; data: Record<string, unknown> };

/** What an answer other than 2xx becomes. */
export class Refusal extends Error {
  constructor(readonly status: number, readonly body: unknown) {
    super(`${status}: ${JSON.stringify(body)}`);
  }
}

/** The body of an answer; throws a Refusal when it is an error. */
export async function take<T>(answer: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const { data, error, response } = await answer;
  if (!response.ok || data === undefined) throw new Refusal(response.status, error);
  return data;
}

/** The platform as one user sees it. */
export class Platform {
  readonly api: Client<paths>;
  private token = "";

  constructor(private readonly url: string) {
    this.api = createClient<paths>({ baseUrl: url });
    this.api.use({
      onRequest: ({ request }) => {
        if (this.token) request.headers.set("authorization", `Bearer ${this.token}`);
        if (request.method === "POST") request.headers.set("idempotency-key", randomUUID());
      },
    });
  }

  /** Sign in; later calls carry the token, which is valid for an hour. */
  async login(username: string, password: string): Promise<void> {
    const session = await take(this.api.POST("/api/auth/login", { body: { username, password } }));
    this.token = String(session.access);
  }

  /** The events of an app from the first on, or after one, until it is removed; taken up again where they break off. */
  async *follow(appId: string, after = "0"): AsyncGenerator<Frame> {
    for (let failures = 0; failures < ATTEMPTS; failures++) {
      try {
        for await (const frame of this.listen(appId, after)) {
          failures = 0;
          if (frame.event === "failed") throw new Refusal(200, frame.data);
          after = frame.id;
          yield frame;
          if (frame.event === "removed") return;
        }
      } catch (error) {
        if (error instanceof Refusal) throw error;
      }
      await sleep(DELAY_MS);
    }
    throw new Error(`the events of ${appId} broke off ${ATTEMPTS} times in a row`);
  }

  private async *listen(appId: string, after: string): AsyncGenerator<Frame> {
    const headers = { authorization: `Bearer ${this.token}`, "last-event-id": after };
    const answer = await fetch(`${this.url}/api/apps/${encodeURIComponent(appId)}/events`, { headers });
    if (!answer.ok || !answer.body) throw new Refusal(answer.status, await answer.text());
    let rest = "";
    for await (const chunk of answer.body.pipeThrough(new TextDecoderStream())) {
      const blocks = (rest + chunk).split("\n\n");
      rest = blocks.pop() ?? "";
      for (const block of blocks) {
        if (!block.startsWith(":")) yield parseFrame(block);
      }
    }
  }
}

function parseFrame(block: string): Frame {
  const fields = new Map(block.split("\n").map((line) => [line.split(": ", 1)[0]!, line.slice(line.indexOf(": ") + 2)]));
  const data = JSON.parse(fields.get("data") ?? "{}") as Record<string, unknown>;
  return { id: fields.get("id") ?? "", event: fields.get("event") ?? "message", data };
}
