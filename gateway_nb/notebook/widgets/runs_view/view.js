const MARKS = { running: "▶", ok: "✓", error: "✕", aborted: "■" };

function render({ model, el: root }) {
  let runs = [];
  const seconds = (from, to) => `${(to - from).toFixed(to - from < 10 ? 2 : 0)} s`;
  const lines = el("tbody");
  const none = el("div", { className: "gnb-note" }, "No agent has run yet.");
  const table = el("table", {}, el("thead", {}, el("tr", {}, ...["run", "session", "status", "time", "first token", "pieces", "tools", "tokens", "course"].map((name) => el("th", { scope: "col" }, name)))), lines);
  begin(root, "gnb-runs");
  root.append(none, el("div", { className: "gnb-scroll" }, table));

  function draw() {
    const now = Date.now() / 1000;
    none.hidden = runs.length > 0;
    table.hidden = !runs.length;
    const longest = Math.max(...runs.map((run) => (run.end ?? now) - run.start), 0.001);
    lines.replaceChildren(...[...runs].reverse().map((run) => {
      const end = run.end ?? Math.max(now, run.start);
      const at = (time) => `${(100 * (time - run.start)) / longest}%`;
      const part = (name, from, to) => {
        const made = el("span", { className: `gnb-${name}` });
        made.style.left = at(from);
        if (to !== undefined) made.style.width = at(run.start + to - from);
        return made;
      };
      const course = el("div", { className: "gnb-course", role: "img", "aria-label":
        `${seconds(run.start, end)}${run.first === null ? "" : `, first token after ${seconds(run.start, run.first)}`}, ${run.calls} tool calls` },
        part("waits", run.start, run.first ?? end));
      if (run.first !== null) course.append(part("writes", run.first, end));
      course.append(...run.tools.map((time) => part("tool", time)));
      const values = [run.run, run.session, `${MARKS[run.status]} ${run.status}`, seconds(run.start, end),
        run.first === null ? "" : seconds(run.start, run.first), run.deltas, run.calls, run.tokens ?? ""];
      return el("tr", { className: `gnb-run-${run.status}` }, ...values.map((value) => el("td", { title: String(value) }, String(value))), el("td", {}, course));
    }));
  }

  const line = link(model, (kind, told) => {
    if (kind !== "runs") return;
    runs = told;
    draw();
  });
  const ticking = setInterval(() => runs.some((run) => run.end === null) && draw(), 500);
  return () => {
    clearInterval(ticking);
    line.close();
  };
}

export default { render };
