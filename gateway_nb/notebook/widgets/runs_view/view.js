import { button, el, keep, put } from "../dom.js";
import { connect } from "../link.js";

const MARKS = { running: "▶", ok: "✓", error: "✕", aborted: "■" };
const HEADINGS = ["run", "session", "status", "time", "first token", "pieces", "tools", "tokens", "course"];
const REDRAW_MS = 500;

const seconds = (from, to) => `${(to - from).toFixed(to - from < 10 ? 2 : 0)} s`;

/** Return a bar of a run's time: waiting, writing, tool calls. `longest` seconds are its whole width. */
function course(run, end, longest) {
  const at = (time) => `${(100 * (time - run.start)) / longest}%`;
  const part = (name, from, to) => {
    const span = el("span", { className: `gnb-${name}` });
    span.style.left = at(from);
    if (to !== undefined) span.style.width = at(run.start + to - from);
    return span;
  };
  const first = run.first === null ? "" : `, first token after ${seconds(run.start, run.first)}`;
  return el("div", { className: "gnb-course", role: "img", "aria-label": `${seconds(run.start, end)}${first}, ${run.calls} tool calls` },
    part("waits", run.start, run.first ?? end), ...(run.first === null ? [] : [part("writes", run.first, end)]),
    ...run.tools.map((time) => part("tool", time)));
}

function render({ model, el: root }) {
  let runs = [];
  const lines = el("tbody");
  const none = el("div", { className: "gnb-note" }, "No agent has run yet.");
  const table = el("table", {}, el("thead", {}, el("tr", {}, ...HEADINGS.map((name) => el("th", { scope: "col" }, name)))), lines);
  const problem = el("div", { className: "gnb-warning", role: "alert" });
  root.append(none, problem, el("div", { className: "gnb-scroll" }, table));

  function draw() {
    const now = Date.now() / 1000;
    none.hidden = runs.length > 0;
    table.hidden = !runs.length;
    const longest = Math.max(...runs.map((run) => (run.end ?? now) - run.start), 0.001);
    keep(lines, [...runs].reverse(), make, (row, run) => {
      const end = run.end ?? Math.max(now, run.start);
      const values = [run.run, run.session, `${MARKS[run.status]} ${run.status}`, seconds(run.start, end),
        run.first === null ? "" : seconds(run.start, run.first), run.deltas, run.calls, run.tokens ?? ""];
      row.className = `gnb-run-${run.status}`;
      values.forEach((value, i) => {
        put(row.cells[i].firstElementChild ?? row.cells[i], String(value));
        row.cells[i].title = String(value);
      });
      row.lastChild.replaceChildren(course(run, end, longest));
    });
  }

  const make = ({ id }) =>
    el("tr", {}, el("td", {}, button("", () => line.ask("choose", { run: id }), { className: "gnb-key", "aria-description": "shows its trace" })),
      ...HEADINGS.slice(1).map(() => el("td")));

  const line = connect(model, root, "gnb-runs", {
    runs(newest) {
      runs = newest;
      put(problem, "");
      draw();
    },
    problem(text) {
      put(problem, text);
    },
  });
  const redrawing = setInterval(() => runs.some((run) => run.end === null) && draw(), REDRAW_MS);
  return () => {
    clearInterval(redrawing);
    line.close();
  };
}

export default { render };
