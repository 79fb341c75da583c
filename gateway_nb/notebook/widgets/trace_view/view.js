import { button, el, keep, put } from "../dom.js";
import { connect } from "../link.js";
import { tickOf, within, written, zoomed } from "./times.js";

const FIND_MS = 200;
const ZOOM = 2;
const PAGE = 10; // rows
const KEYS = "Arrow keys move, Enter opens details, Escape closes them, + and - zoom, Shift with an arrow moves the time in sight, 0 shows all of it, / searches";

function render({ model, el: root }) {
  let trace = null; // what the kernel sent last
  let range = null; // the seconds in sight, null for all
  let selected = null; // id of a span
  let shown = null; // id of the one whose details are open
  let typing;

  const title = el("strong", { className: "gnb-title" });
  const legend = el("span", { className: "gnb-legend" });
  const find = el("input", { type: "search", placeholder: "find", "aria-label": "Find spans", spellcheck: false,
    oninput: () => (clearTimeout(typing), (typing = setTimeout(search, FIND_MS))), onkeydown: leaveFind });
  const note = el("span", { className: "gnb-note", role: "status" });
  const problem = el("div", { className: "gnb-warning", role: "alert" });
  const zooms = [["−", "Zoom out", 1 / ZOOM], ["+", "Zoom in", ZOOM]].map(([sign, name, factor]) =>
    button(sign, () => zoom(factor), { "aria-label": name, title: name }));
  const whole = button("All", () => see(null), { "aria-label": "Show all of the time" });
  const times = el("div", { className: "gnb-lane" });
  const lines = el("div", { className: "gnb-lane" });
  const rows = el("div", { role: "presentation" });
  const tree = el("div", { className: "gnb-spans", role: "tree", tabIndex: 0, "aria-label": "Spans", "aria-description": KEYS, onkeydown: key, onwheel: wheel },
    el("div", { className: "gnb-times gnb-line", "aria-hidden": "true" }, el("span"), times, el("span")),
    el("div", { className: "gnb-body", role: "presentation" },
      el("div", { className: "gnb-grid gnb-line", "aria-hidden": "true" }, el("span"), lines, el("span")), rows));
  const about = el("h4");
  const facts = el("dl");
  const pane = el("section", { className: "gnb-details", hidden: true, "aria-label": "Details", "aria-live": "polite", onkeydown: leaveDetails },
    el("div", { className: "gnb-bar" }, about, el("span", { className: "gnb-push" }), button("×", close, { "aria-label": "Close the details" })), facts);
  const prefix = `gnb-${Math.random().toString(36).slice(2)}-`;
  root.append(el("div", { className: "gnb-bar" }, title), el("div", { className: "gnb-bar" }, legend, find, ...zooms, whole, note), problem, tree, pane);

  const place = () => trace.rows.findIndex((row) => row.id === selected);
  const ends = () => Math.max(trace.end, 1e-9) * 1.005; // an instant at the very end is seen, too
  const inSight = () => range ?? [0, ends()];

  function search() {
    line.ask("find", { text: find.value });
  }

  function leaveFind(event) {
    if (event.key !== "Escape" && event.key !== "Enter") return;
    if (event.key === "Escape") find.value = "";
    clearTimeout(typing);
    search();
    tree.focus();
    event.preventDefault();
    event.stopPropagation();
  }

  function see(wanted) {
    range = wanted && within(wanted, ends());
    drawTimes();
  }

  /** Zoom around a time, by default the middle of the selected bar where it is in sight. */
  function zoom(factor, around) {
    const [from, to] = inSight();
    const row = trace.rows[place()];
    const middle = row ? (row.start + row.end) / 2 : from;
    see(zoomed([from, to], ends(), factor, around ?? (from < middle && middle < to ? middle : (from + to) / 2)));
  }

  const pan = (share) => see(inSight().map((time, _, [from, to]) => time + share * (to - from)));

  function wheel(event) {
    if (!event.ctrlKey || !trace) return;
    event.preventDefault();
    const box = lines.getBoundingClientRect();
    const [from, to] = inSight();
    const share = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
    zoom(event.deltaY < 0 ? ZOOM : 1 / ZOOM, from + share * (to - from));
  }

  function key(event) {
    if (!trace || event.altKey || event.metaKey || event.ctrlKey) return;
    const at = place();
    const last = trace.rows.length - 1;
    const row = trace.rows[at];
    const actions = {
      ArrowDown: () => select(at + 1),
      ArrowUp: () => select(at - 1),
      PageDown: () => select(at + PAGE),
      PageUp: () => select(at - PAGE),
      Home: () => select(0),
      End: () => select(last),
      ArrowLeft: () => event.shiftKey ? pan(-0.25) : row && select(trace.rows.findLastIndex((each, i) => i < at && each.depth < row.depth)),
      ArrowRight: () => event.shiftKey ? pan(0.25) : row && trace.rows[at + 1]?.depth > row.depth && select(at + 1),
      Enter: () => row && open(row.id),
      " ": () => row && open(row.id),
      Escape: close,
      "+": () => zoom(ZOOM),
      "=": () => zoom(ZOOM),
      "-": () => zoom(1 / ZOOM),
      0: () => see(null),
      "/": () => find.focus(),
    };
    if (!actions[event.key]) return;
    actions[event.key]();
    event.preventDefault();
    event.stopPropagation();
  }

  function select(at) {
    const row = trace.rows[Math.min(Math.max(at, 0), trace.rows.length - 1)];
    if (!row) return;
    selected = row.id;
    mark();
    document.getElementById(prefix + selected).scrollIntoView({ block: "nearest" });
    const [from, to] = inSight();
    if (row.end < from || to < row.start) see([(row.start + row.end - to + from) / 2, (row.start + row.end + to - from) / 2]);
    if (shown !== null) open(selected);
  }

  function mark() {
    for (const row of rows.children) row.setAttribute("aria-selected", row.dataset.id === selected);
    if (place() < 0) tree.removeAttribute("aria-activedescendant");
    else tree.setAttribute("aria-activedescendant", prefix + selected);
  }

  function open(id) {
    shown = id;
    line.ask("details", { span: id });
  }

  function leaveDetails(event) {
    if (event.key !== "Escape") return;
    close();
    event.stopPropagation();
  }

  function close() {
    if (pane.contains(document.activeElement)) tree.focus();
    shown = null;
    pane.hidden = true;
  }

  const make = ({ id }) => {
    const choose = () => {
      selected = id;
      mark();
      open(id);
    };
    return el("div", { id: prefix + id, className: "gnb-line", role: "treeitem", onclick: choose },
      el("span", { className: "gnb-step" }), el("span", { className: "gnb-lane" }, el("span")), el("span", { className: "gnb-figure" }));
  };

  function update(element, row) {
    const [name, lane, figure] = element.children;
    const bar = lane.firstChild;
    put(name, row.label);
    put(figure, row.figure);
    name.style.paddingLeft = `${4 + 12 * Math.min(row.depth, 12)}px`;
    element.title = `${row.label}\n${row.title}`;
    element.setAttribute("aria-level", row.depth + 1);
    element.setAttribute("aria-label", `${row.label}, ${row.title}`);
    element.classList.toggle("gnb-faint", !row.hit);
    bar.className = `gnb-span gnb-${row.kind}${row.failed ? " gnb-failed" : ""}${row.open ? " gnb-open" : ""}`;
    bar.style.setProperty("--s", row.start);
    bar.style.setProperty("--e", row.end);
  }

  function drawTimes() {
    const [from, to] = inSight();
    const tick = tickOf([from, to]);
    tree.style.setProperty("--from", from);
    tree.style.setProperty("--per", 100 / (to - from));
    const found = [];
    for (let at = Math.ceil(from / tick); at * tick <= to; at++) found.push(at * tick);
    const marks = (text) => found.map((time) => {
      const element = el("span", { className: "gnb-tick" }, text(time));
      element.style.setProperty("--s", time);
      return element;
    });
    times.replaceChildren(...marks((time) => written(time, to)));
    lines.replaceChildren(...marks(() => ""));
    zooms[0].disabled = whole.disabled = !range;
  }

  function draw() {
    root.classList.toggle("gnb-without", !trace);
    if (!trace) return;
    put(title, trace.title);
    tree.setAttribute("aria-label", `Spans of ${trace.title}`);
    for (const [kind, colour] of Object.entries(trace.colours)) root.style.setProperty(`--gnb-${kind}`, colour);
    const samples = [...Object.keys(trace.colours).map((kind) => [kind, kind]), ["error", "run gnb-failed"], ["no end", "run gnb-open"]];
    keep(legend, samples.map(([id, kind]) => ({ id, kind })), ({ id, kind }) => el("span", {}, el("i", { className: `gnb-span gnb-${kind}` }), id));
    if (document.activeElement !== find) find.value = trace.text;
    const parts = [];
    if (trace.text) parts.push(`${trace.hits.toLocaleString()} of ${trace.spans.toLocaleString()} spans contain it`);
    if (trace.left) parts.push(`${trace.left.toLocaleString()} further spans are not shown; find narrows them down, .spans has all`);
    if (trace.open) parts.push("live");
    put(note, parts.join(" · "));
    keep(rows, trace.rows, make, update);
    see(range);
    mark();
  }

  const line = connect(model, root, "gnb-trace", {
    trace(newest) {
      if (newest?.run !== trace?.run) {
        range = selected = null;
        close();
      }
      trace = newest;
      put(problem, "");
      draw();
      if (shown !== null) open(shown);
    },
    details({ span, texts }) {
      if (span !== shown) return;
      put(about, texts.find(([name]) => name === "name")[1]);
      facts.replaceChildren(...texts.flatMap(([name, text]) => [el("dt", {}, name), el("dd", {}, text)]));
      pane.hidden = false;
    },
    problem(text) {
      put(problem, text);
    },
  });
  return () => {
    clearTimeout(typing);
    line.close();
  };
}

export default { render };
