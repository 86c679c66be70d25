/** Server-sent events, parsed from the chunks of a response. */
export interface ServerEvent {
  id: string;
  event: string;
  data: string;
}

/** A parser that takes text in pieces and returns the events that are complete. */
export function createParser(): (chunk: string) => ServerEvent[] {
  let rest = "";
  return (chunk) => {
    rest = (rest + chunk).replaceAll("\r\n", "\n");
    const blocks = rest.split("\n\n");
    rest = blocks.pop() ?? "";
    return blocks.map(parseBlock).filter((each) => each !== null);
  };
}

function parseBlock(block: string): ServerEvent | null {
  const found: ServerEvent = { id: "", event: "message", data: "" };
  const data: string[] = [];
  for (const line of block.split("\n")) {
    const at = line.indexOf(":");
    if (at === 0) continue; // a comment: the server's ping
    const name = at < 0 ? line : line.slice(0, at);
    const value = at < 0 ? "" : line.slice(at + 1).replace(/^ /, "");
    if (name === "id") found.id = value;
    if (name === "event") found.event = value;
    if (name === "data") data.push(value);
  }
  if (data.length === 0) return null;
  found.data = data.join("\n");
  return found;
}
