/** The WebSocket of a terminal: frames in both directions, and why it ended. */

export interface Ended {
  /** The shell has ended with this status. */
  exit?: number;
  /** The server's sentence, where it refused or ended the terminal. */
  sentence?: string;
  reason?: string;
  /** The HTTP status that fits; 0: the connection broke, or the server goes away. */
  status: number;
}

interface Handlers {
  attached(): void;
  /** `done` is called when the output has been taken in. */
  output(data: Uint8Array, done: () => void): void;
  ended(why: Ended): void;
}

type Message = { type: "attached" } | { type: "exit"; status: number } | { type: "error"; code: string; reason: string; error: string };

const MOST_BYTES = 32_768; // of a frame; the server takes 64 KiB
const HIGH_BYTES = 1_000_000; // not taken in yet: the server pauses
const LOW_BYTES = 200_000; // and goes on
const APPLICATION = 4000; // and the HTTP status, as the server closes what it refuses

export class TerminalSocket {
  #socket: WebSocket;
  #encoder = new TextEncoder();
  #waiting = 0;
  #paused = false;
  #ended: Ended = { status: 0 };

  constructor(appId: string, size: { cols: number; rows: number }, handlers: Handlers) {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const query = `columns=${String(size.cols)}&rows=${String(size.rows)}`;
    this.#socket = new WebSocket(`${scheme}//${location.host}/api/apps/${encodeURIComponent(appId)}/terminal?${query}`);
    this.#socket.binaryType = "arraybuffer";
    this.#socket.onmessage = (event: MessageEvent<string | ArrayBuffer>) => this.#take(event.data, handlers);
    this.#socket.onclose = (event) => {
      if (event.code > APPLICATION) this.#ended.status = event.code - APPLICATION;
      handlers.ended(this.#ended);
    };
  }

  type(text: string): void {
    this.#send(this.#encoder.encode(text));
  }

  /** Reports of the mouse: a byte for each character. */
  typeBytes(text: string): void {
    this.#send(Uint8Array.from(text, (each) => each.charCodeAt(0)));
  }

  /** Go on with a newer token of the same session. */
  renew(token: string): void {
    this.#inform({ token });
  }

  resize(size: { cols: number; rows: number }): void {
    this.#inform({ columns: size.cols, rows: size.rows });
  }

  close(): void {
    this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close();
  }

  #take(data: string | ArrayBuffer, handlers: Handlers): void {
    if (typeof data !== "string") {
      this.#waiting += data.byteLength;
      handlers.output(new Uint8Array(data), () => this.#settle(data.byteLength));
      if (this.#waiting > HIGH_BYTES && !this.#paused) this.#pause(true);
      return;
    }
    const message = JSON.parse(data) as Message;
    if (message.type === "attached") handlers.attached();
    if (message.type === "exit") this.#ended = { status: 0, exit: message.status };
    if (message.type === "error") this.#ended = { status: 0, sentence: message.error, reason: message.reason };
  }

  #settle(bytes: number): void {
    this.#waiting -= bytes;
    if (this.#waiting < LOW_BYTES && this.#paused) this.#pause(false);
  }

  #pause(paused: boolean): void {
    this.#paused = paused;
    this.#inform({ paused });
  }

  #inform(message: Record<string, number | boolean | string>): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #send(data: Uint8Array<ArrayBuffer>): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    for (let at = 0; at < data.length; at += MOST_BYTES) this.#socket.send(data.subarray(at, at + MOST_BYTES));
  }
}
