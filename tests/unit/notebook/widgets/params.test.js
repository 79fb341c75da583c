import assert from "node:assert/strict";
import { test } from "node:test";

import { cellOf, withParam } from "../../../../gateway_nb/notebook/widgets/request_box/params.js";
import { pathTo } from "../../../../gateway_nb/notebook/widgets/tree.js";

for (const [text, name, value, result] of [
  ["", "key", "", '{"key": ""}'],
  ["{}", "key", "", '{"key": ""}'],
  ['{"n": 12345678901234567890}', "key", 1, '{"n": 12345678901234567890, "key": 1}'],
  ['{"key": 1}', "key", 2, '{"key": 1}'],
  ['{"n": ', "key", 2, '{"n": '],
  ["limit: 5", "key", "x", 'limit: 5\nkey: "x"'],
  ["limit: 5\n", "key", [], "limit: 5\nkey: []"],
  ["limit: 5\nkey: a", "key", "x", "limit: 5\nkey: a"],
  ["# only a comment", "key", 1, "# only a comment\nkey: 1"],
]) {
  test(`${name} is added once to ${JSON.stringify(text)}, in its notation and with its digits`, () => {
    assert.equal(withParam(text, name, value), result);
  });
}

for (const [cell, ...call] of [
  ["%gateway call health", "health", "", false, "default"],
  ["%gateway call health --final", "health", " \n", true, "default"],
  ["%%gateway agent -c \"my work\"\nmessage: $$5", "agent", "message: $5", false, "my work"],
  ["%%gateway agent --final\n{\"a\": \"$$$$\"}", "agent", "{\"a\": \"$$\"}", true, "default"],
]) {
  test(`${JSON.stringify(cell)} is the cell of that call`, () => assert.equal(cellOf(...call), cell));
}

for (const [key, inList, path] of [
  ["phase", false, "$.phase"], ["0", true, "$[0]"], ["a.b", false, '$["a.b"]'], ["", false, '$[""]'],
  ['say "x"', false, '$["say \\"x\\""]'], ["__proto__", false, "$.__proto__"],
]) {
  test(`the path to ${JSON.stringify(key)} is ${path}`, () => assert.equal(pathTo("$", key, inList), path));
}
