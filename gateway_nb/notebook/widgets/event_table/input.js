// What the user does: fields, buttons, keys, the mouse and the scroll bar.

import { put } from "../dom.js";
import { NO_FILTER } from "./state.js";

const TYPING_MS = 200;

/** Listen to a table's elements; `ask` sends a message to the kernel. Returns a function that ends it. */
export function listen(drawing, state, ask) {
  const { ui } = drawing;
  let typing = 0;

  const seconds = (input) => (input.value ? new Date(input.value).getTime() / 1000 : null);
  const fields = () => ({ text: ui.search.value, path: ui.path.value.trim(), start: seconds(ui.from), end: seconds(ui.to) });

  function filter(change) {
    if (typing) change = { ...fields(), ...change }; // what was typed last waits for a pause no longer
    clearTimeout(typing);
    typing = 0;
    state.filter(change);
    state.awaiting = ask("query", { query: state.query });
    drawing.drawAll();
  }

  const typed = () => {
    clearTimeout(typing);
    typing = setTimeout(() => filter({}), TYPING_MS);
  };
  for (const input of [ui.search, ui.path, ui.from, ui.to]) input.addEventListener("input", typed);
  for (const input of [ui.path, ui.column]) input.addEventListener("focus", () => ask("paths"));

  function addColumn() {
    const path = ui.column.value.trim();
    if (path && !state.columns.includes(path)) ask("columns", { columns: [...state.columns, path] });
    ui.column.value = "";
  }
  ui.addColumn.addEventListener("click", addColumn);
  ui.column.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing) return;
    event.preventDefault();
    addColumn();
  });
  ui.removeColumns.addEventListener("click", () => ask("columns", { columns: [] }));
  for (const button of ui.exports) button.addEventListener("click", () => ask("export", { format: button.value }));
  ui.clear.addEventListener("click", () => filter(NO_FILTER));
  ui.sortNewer.addEventListener("click", () => filter({}));
  ui.follow.addEventListener("change", () => {
    state.follow = ui.follow.checked;
    drawing.draw();
  });
  ui.pause.addEventListener("click", () => {
    const yes = !state.paused;
    state.pause(yes);
    ui.pause.setAttribute("aria-pressed", yes);
    put(ui.pause, yes ? "Resume" : "Pause");
    drawing.note(yes ? "Paused; events are still kept." : "");
    ask("here", { paused: yes });
    drawing.draw();
  });
  ui.chips.addEventListener("click", ({ target }) => {
    if (target.tagName !== "BUTTON") return;
    const others = state.query.events.filter((name) => name !== target.value);
    filter({ events: others.length < state.query.events.length ? others : [...others, target.value] });
  });
  ui.head.addEventListener("click", ({ target }) => {
    if (target.tagName !== "BUTTON") return;
    const order = target.parentElement.getAttribute("aria-sort");
    state.follow = order === "descending";
    filter({ sort: order === "descending" ? "" : target.value, descending: order === "ascending" });
  });

  function choose(position, event) {
    const row = state.rowAt(position);
    if (!row) return;
    if (event.shiftKey && state.current >= 0 && !state.local) {
      ask("select", { range: [Math.min(state.current, position), Math.max(state.current, position) + 1] });
      return;
    }
    const alone = !(event.ctrlKey || event.metaKey || event.key === " ");
    state.select(row, position, alone);
    ask("select", { ids: [...state.selected] });
    if (alone) ask("row", { id: row.id });
    drawing.draw();
  }
  ui.body.addEventListener("click", (event) => {
    const line = event.target.closest(".gnb-row");
    if (line) choose(state.top + [...ui.body.children].indexOf(line), event);
  });

  function moveTo(position) {
    state.moveTo(position, drawing.fit);
    drawing.draw();
  }
  ui.view.addEventListener("wheel", (event) => {
    const [low, high] = state.span;
    const lines = event.deltaMode ? event.deltaY : event.deltaY / (ui.body.firstChild?.offsetHeight ?? 1);
    const atEnd = event.deltaY < 0 ? state.top <= low : state.top >= high - drawing.fit;
    if (event.ctrlKey || !event.deltaY || atEnd) return; // the notebook scrolls on
    event.preventDefault();
    moveTo(state.top + Math.sign(lines) * Math.max(Math.round(Math.abs(lines)), 1));
  }, { passive: false });
  ui.view.addEventListener("scroll", () => {
    if (Math.abs(ui.view.scrollTop - drawing.scrolled) < 2) return;
    const [low, high] = state.span;
    drawing.scrolled = ui.view.scrollTop;
    moveTo(low + (ui.view.scrollTop / Math.max(drawing.range, 1)) * (high - low - drawing.fit));
  });
  ui.view.addEventListener("keydown", (event) => {
    if (event.target !== ui.view) return;
    const page = drawing.fit;
    const rows = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity }[event.key];
    if (rows) {
      state.step(rows, page);
      drawing.draw();
    } else if (event.key === "Enter" || event.key === " ") choose(state.current, event);
    else if (event.key === "Escape") drawing.closeInspector();
    else return;
    event.preventDefault();
  });
  ui.inspector.addEventListener("keydown", (event) => event.key === "Escape" && drawing.closeInspector());

  return () => clearTimeout(typing);
}
