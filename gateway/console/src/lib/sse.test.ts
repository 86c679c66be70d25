import { expect, test } from "vitest";
import { createParser } from "./sse";

test("events come whole, whatever the pieces are", () => {
  const parse = createParser();
  const text = 'id: 4\nevent: operation\ndata: {"id": "a"}\n\n: ping\nid: 4\n\nevent: status\r\ndata: one\r\ndata: two\r\n\r\n';
  const found = [...text].flatMap((piece) => parse(piece));
  expect(found).toEqual([
    { id: "4", event: "operation", data: '{"id": "a"}' },
    { id: "", event: "status", data: "one\ntwo" },
  ]);
});

test("an event that has not ended is not given", () => {
  const parse = createParser();
  expect(parse("event: log\ndata: half")).toEqual([]);
  expect(parse("\n\n")).toEqual([{ id: "", event: "log", data: "half" }]);
});
