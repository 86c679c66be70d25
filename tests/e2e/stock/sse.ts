/** Server-sent events from a body, for generated clients that leave its parsing to their user. */
import type { Event } from "./walk.js";

type Data = { status?: string; message?: string; error?: string };

/** An event of the walk from a server-sent one. */
export function readEvent(id: string, kind: string, data: Data): Event {
  if (kind === "removed") return { id, removed: true };
  if (kind === "log") return { id, log: data.message ?? "" };
  if (kind === "failed") throw new Error(data.error);
  return { id, status: data.status ?? "", message: data.message ?? "" };
}

export async function* parseEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<Event> {
  const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop() ?? "";
      for (const block of blocks) {
        const fields = new Map(block.split("\n").map((line) => [line.split(":", 1)[0], line.slice(line.indexOf(":") + 2)]));
        const data = fields.get("data");
        if (data) yield readEvent(fields.get("id") ?? "", fields.get("event") ?? "", JSON.parse(data) as Data);
      }
    }
  } finally {
    await reader.cancel();
  }
}
