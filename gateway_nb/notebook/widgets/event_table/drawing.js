// The table's elements, and how the state is drawn into them.

import { button, copy, el, put } from "../dom.js";
import { parse, tree } from "../tree.js";
import { columnsFor, filterParts, NO_FILTER } from "./state.js";

const ROW = 22; // pixels
const TALLEST = 8e6; // pixels that browsers lay out without trouble; beyond, the scroll bar is a scale
const MOST_LINES = 20; // rows in sight, unless the user pulls the corner
const EMPTY_LINES = 4;

const count = (number) => number.toLocaleString("en");
const rows = (number) => `${count(number)} row${number === 1 ? "" : "s"}`;
const time = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 });
const hue = (name) => [...name].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 360, 7);
const bar = (...children) => el("div", { className: "gnb-bar" }, ...children);
const push = () => el("span", { className: "gnb-push" });
const label = (text, input) => el("label", {}, text, input);
const ids = () => Math.random().toString(36).slice(2);

/** Return the elements of a table, by name, put into its root. */
function build(root) {
  const list = `paths-${ids()}`;
  const text = (placeholder) => el("input", { type: "text", placeholder, list, spellcheck: false, autocomplete: "off" });
  const moment = () => el("input", { type: "datetime-local", step: 1 });
  const ui = {
    search: el("input", { type: "search", placeholder: "text in name or payload" }),
    path: text("data.phase = end"),
    from: moment(),
    to: moment(),
    column: text("data.phase"),
    paths: el("datalist", { id: list }),
    addColumn: button("Add column"),
    removeColumns: button("Remove columns"),
    exports: ["jsonl", "parquet", "csv"].map((format) =>
      button(format.toUpperCase(), undefined, { value: format, title: "write what is shown to the kernel's disk" })),
    pause: button("Pause", undefined, { "aria-pressed": "false" }),
    follow: el("input", { type: "checkbox", checked: true }),
    clear: button("Clear filter", undefined, { hidden: true }),
    sortNewer: button("", undefined, { hidden: true }),
    spark: el("canvas", { width: 240, height: 40, "aria-hidden": "true" }),
    rate: el("span", { className: "gnb-rate" }),
    total: el("span", { className: "gnb-summary" }),
    chips: el("div", { className: "gnb-chips", role: "group", "aria-label": "Filter by event" }),
    note: el("div", { className: "gnb-note", role: "status" }),
    older: el("div", { className: "gnb-gone", hidden: true }),
    head: el("div", { className: "gnb-row gnb-head", role: "row" }),
    body: el("div", { className: "gnb-rows" }),
    empty: el("div", { className: "gnb-empty", role: "status", hidden: true }),
    spacer: el("div"),
    inspector: el("section", { className: "gnb-inspector", "aria-label": "Event", hidden: true }),
  };
  ui.view = el("div", { className: "gnb-view", tabIndex: 0, role: "grid", "aria-label": "Events", "aria-multiselectable": "true" },
    ui.head, ui.body, ui.spacer, ui.empty);
  ui.more = el("details", { className: "gnb-more" }, el("summary", {}, "More filters, columns, export"),
    bar(label("Payload ", ui.path), label("From ", ui.from), label("To ", ui.to)),
    bar(label("Column ", ui.column), ui.addColumn, ui.removeColumns, push(), "Export ", ...ui.exports), ui.paths);
  root.append(
    bar(ui.spark, ui.rate, ui.total, push(), ui.pause, el("label", {}, ui.follow, " Follow"), ui.sortNewer),
    bar(label("Search ", ui.search), ui.more, ui.clear),
    ui.chips, ui.note, ui.older, el("div", { className: "gnb-main" }, ui.view, ui.inspector));
  return ui;
}

export class Drawing {
  /** `onmissing(start, count)` is called where rows in sight are not here. */
  constructor(root, state, onmissing) {
    this.ui = build(root);
    this.hidden = false;
    this.fit = 1; // rows in sight
    this.range = 0; // pixels to scroll
    this.scrolled = 0;
    this.state = state;
    this.onmissing = onmissing;
    this.id = ids();
    this.columns = [];
    this.tall = this.wide = this.frame = 0;
    this.sizes = new ResizeObserver(() => this.measure());
    this.sizes.observe(this.ui.view);
    this.drawHead();
    this.drawRates();
  }

  close() {
    this.sizes.disconnect();
    cancelAnimationFrame(this.frame);
  }

  note(text) {
    put(this.ui.note, text);
  }

  measure() {
    const { view, body } = this.ui;
    this.tall = body.clientHeight;
    this.fit = Math.max(Math.floor(this.tall / ROW), 1);
    this.scrolled = view.scrollTop; // lost where it was hidden
    if (this.wide !== view.clientWidth) {
      this.wide = view.clientWidth;
      this.drawHead();
    }
    this.draw();
  }

  draw() {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.#drawNow();
    });
  }

  #drawNow() {
    const { view, body, spacer } = this.ui;
    const { state, fit, tall } = this;
    const [low, high] = state.settle(fit);
    view.style.setProperty("--gnb-lines", high > low ? Math.min(high - low, MOST_LINES) : EMPTY_LINES);
    this.hidden = !tall; // for now: the next second tries again
    if (this.hidden) return;
    this.ui.follow.checked = state.follow;
    // Nothing is measured here: it would make the browser lay the page out once more.
    this.range = Math.max(Math.min((high - low) * ROW, TALLEST) - tall, 0);
    const wanted = high - low > fit ? Math.round(((state.top - low) / (high - low - fit)) * this.range) : 0;
    if (spacer.style.height !== `${this.range}px`) spacer.style.height = `${this.range}px`;
    if (Math.abs(this.scrolled - wanted) > 1) view.scrollTop = this.scrolled = wanted;
    const shown = Math.min(fit, high - low);
    while (body.children.length < shown) body.append(this.#line(body.children.length));
    while (body.children.length > shown) body.lastChild.remove();
    let missing = false;
    for (let i = 0; i < shown; i++) {
      const row = state.rowAt(state.top + i);
      missing ||= !row || row.summary === null;
      this.#fill(body.children[i], row, state.top + i);
    }
    if (missing) this.onmissing(state.top, fit);
    view.setAttribute("aria-rowcount", high - low);
    const active = state.current >= state.top && state.current < state.top + shown;
    view.setAttribute("aria-activedescendant", active ? body.children[state.current - state.top].id : "");
    this.#drawTotals(low, high);
  }

  #line(number) {
    const line = el("div", { className: "gnb-row", role: "row", id: `${this.id}-${number}` });
    line.append(...this.columns.map(({ name }) => el("span", { role: "gridcell", "data-column": name })));
    return line;
  }

  #fill(line, row, position) {
    line.dataset.kind = row?.kind ?? "event";
    line.dataset.current = position === this.state.current;
    line.setAttribute("aria-rowindex", position + 1);
    line.setAttribute("aria-selected", Boolean(row && this.state.selected.has(row.id)));
    this.columns.forEach(({ name, cell }, i) => put(line.children[i], row ? textOf(row, name, cell) : i ? "" : "…"));
    if (row?.name) line.style.setProperty("--gnb-hue", hue(row.name));
  }

  #drawTotals(low, high) {
    const { ui, state } = this;
    const { counts, query, local } = state;
    const shown = high - low;
    const parts = [shown === counts.total ? rows(shown) : `${count(shown)} of ${rows(counts.total)}`];
    if (local) parts[0] = `${count(shown)} of the ${count(state.here)} rows that are here; the kernel has not answered yet`;
    else if (state.awaiting) parts.push("the kernel has not answered yet");
    if (counts.done !== null) parts.push(`searching, ${Math.round(counts.done * 100)} %`);
    if (state.paused) parts.push(`paused, +${count(counts.came - state.paused.came)}`);
    if (counts.state && counts.state !== "connected") parts.push(counts.state);
    put(ui.total, parts.join(" · "));
    ui.sortNewer.hidden = !counts.later;
    put(ui.sortNewer, `Sort ${count(counts.later)} newer row${counts.later === 1 ? "" : "s"} in`);
    ui.older.hidden = !counts.dropped || state.top > low || Boolean(local);
    put(ui.older, `▲ ${count(counts.dropped)} older rows were dropped for newer ones`);
    const filtered = JSON.stringify({ ...query, sort: "", descending: false }) !== JSON.stringify(NO_FILTER);
    ui.clear.hidden = !filtered;
    ui.empty.hidden = shown > 0 || counts.done !== null;
    const hidden = `The filter hides ${counts.total === 1 ? "the only row" : `all ${rows(counts.total)}`}: ${filterParts(query).join(", ")}.`;
    put(ui.empty, filtered && counts.total ? hidden : "No events yet.");
  }

  drawHead() {
    const { query, columns } = this.state;
    const { head, body } = this.ui;
    this.columns = columnsFor(this.wide || Infinity, columns, this.state.gateways);
    head.parentElement.style.setProperty("--gnb-columns", this.columns.map(({ width }) => width).join(" "));
    head.replaceChildren(...this.columns.map(({ name }) => {
      const order = query.sort !== name ? "none" : query.descending ? "descending" : "ascending";
      const sorted = name === "summary" || name === "payload";
      const mark = { none: "", ascending: " ▲", descending: " ▼" }[order];
      return el("span", { role: "columnheader", "aria-sort": order, "data-column": name },
        sorted ? name : button(name + mark, undefined, { value: name }));
    }));
    body.replaceChildren();
  }

  drawChips() {
    const { chips } = this.ui;
    const { counts, query } = this.state;
    const old = new Map([...chips.children].map((chip) => [chip.value, chip]));
    const names = counts.names.map(([name]) => name);
    for (const name of query.events) if (!names.includes(name)) names.push(name);
    if (names.some((name) => !old.has(name)) || old.size !== names.length) {
      chips.replaceChildren(...names.map((name) => {
        const chip = old.get(name) ?? button("", undefined, { value: name });
        chip.style.setProperty("--gnb-hue", hue(name));
        return chip;
      }));
    }
    const numbers = new Map(counts.names);
    for (const chip of chips.children) {
      put(chip, `${chip.value} ${count(numbers.get(chip.value) ?? 0)}`);
      chip.setAttribute("aria-pressed", query.events.includes(chip.value));
    }
  }

  drawRates() {
    const { spark, rate } = this.ui;
    const { rates } = this.state;
    const most = Math.max(...rates, 1);
    const pen = spark.getContext("2d");
    pen.clearRect(0, 0, 240, 40);
    pen.fillStyle = getComputedStyle(spark).color;
    rates.forEach((value, i) => pen.fillRect(i * 4, 40 - (38 * value) / most, 3, 40));
    put(rate, `${count(rates.at(-2))} events/s`);
  }

  /** Show the filter in its fields, but for one in which somebody types. */
  drawQuery() {
    const { search, path, from, to } = this.ui;
    const { query } = this.state;
    const idle = (input) => document.activeElement !== input;
    if (idle(search)) search.value = query.text;
    if (idle(path)) path.value = query.path;
    for (const [input, at] of [[from, query.start], [to, query.end]]) {
      // The field's number is the local time as if it were UTC.
      if (idle(input)) input.valueAsNumber = at === null ? NaN : at * 1000 - new Date(at * 1000).getTimezoneOffset() * 60000;
    }
  }

  drawAll() {
    this.drawQuery();
    this.drawHead();
    this.drawChips();
    this.draw();
  }

  drawPaths(paths) {
    this.ui.paths.replaceChildren(...paths.map((path) => el("option", { value: path })));
  }

  inspect(row) {
    const { inspector, column } = this.ui;
    const number = row.seq === null ? "" : `seq ${row.seq} · `;
    const gateway = row.gateway ? `${row.gateway} · ` : "";
    const title = `${gateway}${row.name} · ${number}connection ${row.epoch} · ${row.time} · ${count(row.size)} bytes`;
    const choose = (path) => {
      copy(path);
      column.value = path.replace(/^\$\.?/, "");
      this.note(`copied ${path}`);
    };
    const copyAll = () => {
      copy(row.text ?? "");
      this.note("copied the payload");
    };
    let content;
    try {
      content = row.text === null ? "too large to show here; table.selected has it" : tree(parse(row.text), choose);
    } catch {
      content = row.text;
    }
    inspector.replaceChildren(
      bar(el("strong", {}, title), push(), button("Copy JSON", copyAll, { disabled: row.text === null }),
        button("Close", () => this.closeInspector())),
      el("div", { className: "gnb-tree" }, content));
    inspector.hidden = false;
    inspector.scrollIntoView({ block: "nearest" });
  }

  closeInspector() {
    this.ui.inspector.hidden = true;
    this.ui.view.focus({ preventScroll: true });
  }
}

function textOf(row, name, cell) {
  if (cell !== undefined) return row.cells[cell] ?? "";
  if (name === "time") return time.format(row.t / 1000);
  if (name === "gateway") return row.gateway ?? "";
  if (name === "seq") return row.seq === null ? "" : String(row.seq);
  if (name === "epoch") return String(row.epoch);
  if (name === "event") return row.name ?? row.kind;
  if (name === "summary") return row.summary || row.text; // there is none, or it comes when the kernel is asked for it
  return row.size > row.text.length ? `${row.text}…` : row.text;
}
