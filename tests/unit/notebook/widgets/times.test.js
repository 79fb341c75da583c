import assert from "node:assert/strict";
import { test } from "node:test";

import { tickOf, within, written, zoomed } from "../../../../gateway_nb/notebook/widgets/trace_view/times.js";

test("a tick is a round number, about a fifth of what is in sight", () => {
  for (const [length, tick] of [[5, 1], [5.01, 2], [10, 2], [1, 0.2], [0.3, 0.1], [26, 10], [86400, 20000], [1e-6, 2e-7]]) {
    assert.ok(Math.abs(tickOf([3, 3 + length]) - tick) < tick / 1000, `${length}: ${tickOf([3, 3 + length])}`);
  }
});

test("a range is moved back into the trace, and is all of it where it is as long", () => {
  assert.deepEqual(within([2, 4], 10), [2, 4]);
  assert.deepEqual(within([-1, 1], 10), [0, 2]);
  assert.deepEqual(within([9, 11], 10), [8, 10]);
  assert.equal(within([-3, 7], 10), null);
  assert.equal(within([0, 11], 10), null);
});

test("what is zoomed around stays where it is", () => {
  assert.deepEqual(zoomed([0, 10], 10, 2, 5), [2.5, 7.5]);
  assert.deepEqual(zoomed([0, 10], 10, 2, 0), [0, 5]);
  assert.deepEqual(zoomed([4, 6], 10, 2, 5.5), [4.75, 5.75]);
  assert.equal(zoomed([2.5, 7.5], 10, 0.5, 5), null);
  const [from, to] = zoomed([5, 5.001], 10, 1000, 5);
  assert.ok(Math.abs(to - from - 0.001) < 1e-12, "no closer than a ten-thousandth");
});

test("times are written in one unit, without the rest of a binary fraction", () => {
  assert.deepEqual([written(0.30000000000000004, 0.9), written(0, 0.9), written(3, 5), written(0.1 + 0.2, 1), written(1234567.5, 2e6)],
    ["300 ms", "0 ms", "3 s", "0.3 s", "1234567.5 s"]);
});
