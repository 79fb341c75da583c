import assert from "node:assert/strict";
import { test } from "node:test";

import { columnsFor, filterParts, KEPT, NO_FILTER, passes, TableState } from "../../../../gateway_nb/notebook/widgets/event_table/state.js";

/** Rows of events as the kernel sends them: numbers from `start` to before `stop`, every third a tick. */
function rows(start, stop, at = start) {
  const ids = Array.from({ length: stop - start }, (_, i) => start + i);
  return {
    at, ids, t: ids.map((id) => id * 1e6), seq: ids, epoch: ids.map(() => 1),
    name: ids.map((id) => (id % 3 ? "agent" : "tick")), kind: ids.map(() => "event"),
    summary: ids.map((id) => `n=${id}`), text: ids.map((id) => `{"n":${id}}`), size: ids.map(() => 9), cells: [],
  };
}

const counts = (end, more = {}) => ({ v: 0, first: 0, end, total: end, came: end, dropped: 0, done: null, later: 0, names: [], state: null, ...more });

/** A table that has got a log of `end` rows, the newest `here` of them in the browser. */
function table(end, here = end) {
  const state = new TableState();
  const rest = { columns: [], query: { ...NO_FILTER }, rates: new Array(60).fill(0), selected: [] };
  state.snapshot({ ...counts(end), ...rest, rows: rows(end - here, end) });
  return state;
}

const shown = (state) => {
  const [low, high] = state.span;
  return Array.from({ length: high - low }, (_, i) => state.rowAt(low + i)?.id);
};

test("the newest rows are in sight while it follows, and those of before once it was moved", () => {
  const state = table(100);
  assert.deepEqual(state.settle(20), [0, 100]);
  assert.equal(state.top, 80);
  state.push({ ...counts(110), rows: rows(100, 110) });
  state.settle(20);
  assert.equal(state.top, 90);
  state.moveTo(5.4, 20);
  state.push({ ...counts(120), rows: rows(110, 120) });
  state.settle(20);
  assert.deepEqual([state.top, state.follow], [5, false]);
  state.moveTo(1e9, 20);
  assert.deepEqual([state.top, state.follow], [100, true]);
});

test("keys move a row, and the rows in sight with it, from end to end", () => {
  const state = table(100);
  state.settle(20);
  for (const [rows, current, top] of [[-1, 99, 80], [-1, 98, 80], [-Infinity, 0, 0], [20, 20, 1], [-1, 19, 1], [Infinity, 99, 80]]) {
    state.step(rows, 20);
    assert.deepEqual([state.current, state.top], [current, top], `after ${rows}`);
  }
  assert.equal(state.follow, true);
});

test("a filter shows the rows that are here until the kernel answers, and the kernel's rows from then on", () => {
  const state = table(30);
  state.filter({ events: ["tick"] });
  assert.deepEqual(shown(state), [0, 3, 6, 9, 12, 15, 18, 21, 24, 27]);
  state.push({ ...counts(33), rows: rows(30, 33) });
  assert.deepEqual(shown(state).slice(-2), [27, 30], "a row that comes meanwhile is shown, too");
  state.answer({ v: 1, query: { ...NO_FILTER, events: ["tick"] } });
  assert.equal(shown(state).length, 11, "nothing blinks before the first rows are found");
  const found = rows(0, 2, 0);
  state.push({ ...counts(2, { v: 1, total: 33, came: 33 }), rows: found });
  assert.deepEqual(shown(state), [0, 1]);
});

test("a condition on payloads is the kernel's alone: the rows of before stay until it has answered", () => {
  const state = table(30);
  state.filter({ path: "n = 1.0" });
  assert.equal(state.local, null);
  assert.deepEqual(shown(state), rows(0, 30).ids);
  state.push({ ...counts(31), rows: rows(30, 31) });
  assert.equal(shown(state).length, 30);
  state.answer({ v: 1, query: { ...NO_FILTER, path: "n = 1.0" } });
  state.push({ ...counts(1, { v: 1, total: 31, came: 31 }), rows: rows(1, 2, 0) });
  assert.deepEqual(shown(state), [1]);
  state.filter({ text: "\"n\":1" });
  assert.deepEqual(shown(state), [1], "of the rows that meet the condition, those with the text");
});

test("a filter that the kernel refuses leaves the rows of before", () => {
  const state = table(30);
  state.filter({ text: "zzz" });
  assert.deepEqual(shown(state), []);
  state.refuse();
  assert.equal(shown(state).length, 30);
});

test("rows of another filter, or that were dropped, are not shown", () => {
  const state = table(30);
  state.window({ v: 7, rows: rows(0, 10, 50) });
  assert.equal(state.rowAt(50), undefined);
  state.push(counts(40, { first: 10, dropped: 10 }));
  assert.deepEqual(state.span, [10, 40]);
});

test("a paused table stands still, also under another filter", () => {
  const state = table(30);
  state.pause(true);
  state.push({ ...counts(50), rows: rows(30, 50) });
  assert.deepEqual(state.span, [0, 30]);
  assert.equal(state.counts.came - state.paused.came, 20);
  state.filter({ events: ["tick"] });
  state.answer({ v: 1, query: state.query });
  state.push({ ...counts(10, { v: 1, came: 50 }), rows: rows(0, 10) });
  assert.deepEqual(state.span, [0, 10]);
  state.pause(false);
  assert.equal(state.paused, null);
});

test("rows are selected alone, or one by one", () => {
  const state = table(30);
  for (const [id, alone, selected] of [[2, true, [2]], [4, false, [2, 4]], [2, false, [4]], [9, true, [9]]]) {
    state.select(state.rowAt(id), id, alone);
    assert.deepEqual([...state.selected], selected);
  }
});

test("a chosen row stays in sight while events come, and where there is less room", () => {
  const state = table(100);
  state.settle(20);
  state.select(state.rowAt(95), 95, true);
  state.push({ ...counts(110), rows: rows(100, 110) });
  state.settle(20);
  assert.equal(state.top, 80);
  state.settle(7);
  assert.equal(state.top, 89);
  state.moveTo(0, 7);
  state.settle(5);
  assert.equal(state.top, 0, "one that was scrolled away does not come back");
});

test("the rate counts what came since the last message, not what was there before", () => {
  const state = table(30);
  state.push(counts(35));
  state.push(counts(41));
  assert.equal(state.rates[59], 11);
  state.nextSecond();
  assert.deepEqual([state.rates.length, state.rates[58], state.rates[59]], [60, 11, 0]);
});

test("the browser keeps a bounded number of rows, the newest", () => {
  const state = table(10);
  state.push({ ...counts(KEPT + 100), rows: rows(10, KEPT + 100) });
  assert.equal(state.here, KEPT);
  assert.equal(state.rowAt(0), undefined);
  assert.equal(state.rowAt(KEPT + 99).id, KEPT + 99);
});

for (const [change, passing] of [
  [{}, [true, true, true]], [{ events: ["tick"] }, [true, false, true]], [{ text: "AG" }, [false, true, false]],
  [{ text: "\"N\":1" }, [false, true, false]], [{ start: 1 }, [false, true, true]], [{ end: 1 }, [true, false, false]],
]) {
  test(`rows pass ${JSON.stringify(change)} as they do in the kernel; a marker passes every choice of events`, () => {
    const marker = { name: null, kind: "gap", t: 2e6, text: "{}" };
    const all = [{ name: "tick", t: 0, text: "{\"n\":0}" }, { name: "agent", t: 1e6, text: "{\"n\":1}" }, marker];
    assert.deepEqual(all.map((row) => passes(row, { ...NO_FILTER, ...change })), passing);
  });
}

for (const [width, names] of [
  [1100, ["time", "seq", "epoch", "event", "data.n", "summary", "payload"]],
  [720, ["time", "seq", "event", "data.n", "summary", "payload"]],
  [520, ["time", "seq", "event", "data.n", "summary"]],
  [300, ["time", "event", "data.n", "summary"]],
]) {
  test(`${width} pixels have room for ${names}`, () => {
    const columns = columnsFor(width, ["data.n"]);
    assert.deepEqual(columns.map(({ name }) => name), names);
    assert.equal(columns.find(({ name }) => name === "data.n").cell, 0);
  });
}

test("a filter is described part by part", () => {
  const query = { ...NO_FILTER, events: ["tick", "agent"], text: "x", path: "data.phase = end" };
  assert.deepEqual(filterParts(query), ["event tick or agent", "text “x”", "payload data.phase = end"]);
  assert.equal(filterParts({ ...NO_FILTER, start: 0, end: 1 }).length, 2);
});
