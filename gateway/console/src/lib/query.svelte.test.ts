import { beforeEach, expect, test, vi } from "vitest";

beforeEach(() => {
  vi.stubGlobal("location", { origin: "http://homelab.lan", protocol: "http:" });
  vi.stubGlobal("window", { setInterval, setTimeout });
  vi.stubGlobal("document", { hidden: false, querySelector: () => null });
  vi.stubGlobal("requestAnimationFrame", (work: () => void) => void work());
});

/** Answers that a test gives when it likes, with the signals of their requests. */
class Server {
  asked: { subject: string; signal: AbortSignal; answer: (value: string) => void; refuse: (error: Error) => void }[] = [];
  read = (subject: string, signal: AbortSignal): Promise<string> =>
    new Promise((answer, refuse) => void this.asked.push({ subject, signal, answer, refuse }));
}
const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

test("a query reads again when its subject changes; the older answer is cancelled and never shown", async () => {
  const { Query } = await import("./query.svelte");
  const server = new Server();
  let subject = $state("a");
  let query!: InstanceType<typeof Query<string>>;
  const end = $effect.root(() => void (query = new Query((signal) => server.read(subject, signal))));
  await settle();
  subject = "b";
  await settle();
  expect(server.asked.map((each) => [each.subject, each.signal.aborted])).toEqual([["a", true], ["b", false]]);
  server.asked[1]?.answer("of b");
  await settle();
  server.asked[0]?.answer("of a");
  await settle();
  expect(query.value).toBe("of b");
  void query.load();
  expect(query.value).toBe("of b"); // stays until the next answer
  end();
  expect(server.asked[2]?.signal.aborted).toBe(true);
});

test("a query says why it failed, keeps what it had, and forgets the error with the next answer", async () => {
  const { Query } = await import("./query.svelte");
  const server = new Server();
  let query!: InstanceType<typeof Query<string>>;
  const end = $effect.root(() => void (query = new Query((signal) => server.read("", signal))));
  await settle();
  server.asked[0]?.answer("first");
  await settle();
  const again = query.load();
  server.asked[1]?.refuse(new Error("no answer"));
  await again;
  expect([query.value, query.error?.message]).toEqual(["first", "no answer"]);
  const third = query.load();
  server.asked[2]?.answer("third");
  await third;
  expect([query.value, query.error]).toEqual(["third", null]);
  end();
});

test("everything is read again when the stream goes on after a break", async () => {
  const { Query } = await import("./query.svelte");
  const { live } = await import("./live.svelte");
  const server = new Server();
  const end = $effect.root(() => void new Query((signal) => server.read("", signal)));
  await settle();
  live.resumed += 1;
  await settle();
  expect(server.asked.length).toBe(2);
  end();
});

test("a form is filled with the first answer; what is read after a break leaves what was typed", async () => {
  const { Query } = await import("./query.svelte");
  const { live } = await import("./live.svelte");
  const server = new Server();
  const filled: string[] = [];
  let query!: InstanceType<typeof Query<string>>;
  const end = $effect.root(() => void (query = new Query((signal) => server.read("", signal), undefined, (first) => filled.push(first))));
  await settle();
  live.resumed += 1;
  await settle();
  server.asked[0]?.answer("cancelled");
  server.asked[1]?.answer("first");
  await settle();
  const again = query.load();
  server.asked[2]?.answer("second");
  await again;
  expect([filled, query.value]).toEqual([["first"], "second"]);
  end();
});

test("pages grow, and a change is read in each that is shown", async () => {
  const { Pages } = await import("./pages.svelte");
  let all = ["a", "b", "c", "d", "e"];
  let changes = $state(0);
  let pages!: InstanceType<typeof Pages<string>>;
  const end = $effect.root(() => {
    pages = new Pages((page) => {
      void changes;
      return Promise.resolve({ rows: all.slice(2 * (page - 1), 2 * page), total: all.length });
    });
  });
  await settle();
  await settle();
  expect([pages.value, pages.hasMore]).toEqual([["a", "b"], true]);
  await pages.more();
  expect(pages.value).toEqual(["a", "b", "c", "d"]);
  all = ["0", ...all];
  changes += 1;
  await settle();
  await settle();
  expect([pages.value, pages.total]).toEqual([["0", "a", "b", "c"], 6]);
  end();
});

test("a sentence stands at its field where the form has one, else below the form", async () => {
  const { Form } = await import("./form.svelte");
  const { ApiError } = await import("./api");
  const refuse = (...fields: string[]) => () => {
    const field_violations = fields.map((field) => ({ field, description: `${field} is wrong` }));
    return Promise.reject(new ApiError(400, "Fields are wrong", [{ field_violations }]));
  };
  const form = new Form();
  expect([form.at("name"), form.general]).toEqual([undefined, null]);
  expect(await form.send(refuse("name"))).toBe(false);
  expect([form.at("name"), form.general]).toEqual(["name is wrong", null]);
  await form.send(refuse("name", "other")); // for which there is no field
  expect(form.general).toBe("Fields are wrong");
  expect(await form.send(() => Promise.resolve())).toBe(true);
  expect([form.at("name"), form.general]).toEqual([undefined, null]);
});
