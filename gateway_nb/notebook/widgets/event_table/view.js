const ROW = 22; // pixels
const TALLEST = 8e6; // pixels that browsers lay out without trouble; beyond, the scroll bar is a scale
const KEPT = 20000; // rows kept in the browser
const COLUMNS = ["time", "seq", "epoch", "event"];
const NONE = { events: [], text: "", start: null, end: null, path: "", sort: "", descending: false };

const count = (number) => number.toLocaleString("en");
const time = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 });
const hue = (name) => [...name].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 360, 7);

/** The kernel's columns as rows. */
function rowsOf(told) {
  return told.ids.map((id, i) => ({
    id, at: told.at + i, t: told.t[i], seq: told.seq[i], epoch: told.epoch[i], name: told.name[i],
    kind: told.kind[i], text: told.text[i], size: told.size[i], cells: told.cells.map((column) => column[i]),
  }));
}

/** Whether a row that is here passes a filter, as far as its first bytes tell; the kernel has the last word. */
function passes(row, query) {
  if (row.name !== null && query.events.length && !query.events.includes(row.name)) return false;
  if (query.start !== null && row.t < query.start * 1e6) return false;
  if (query.end !== null && row.t >= query.end * 1e6) return false;
  const text = query.text.toLowerCase();
  if (text && !(row.name ?? "").toLowerCase().includes(text) && !row.text.toLowerCase().includes(text)) return false;
  const [, path, sign, wanted] = query.path.match(/^\s*(?:\$\.)?([^=!~<>]+?)\s*(?:(!=|=|~|<|>)\s*(.*?)\s*)?$/) ?? [];
  if (!path) return true;
  let value;
  try {
    value = path.split(/[.[\]]+/).filter(Boolean).reduce((v, step) => v?.[step], JSON.parse(row.text));
  } catch {
    return false; // cut short: only the kernel knows
  }
  const said = String(value);
  if (sign === "=") return said === wanted;
  if (sign === "!=") return said !== wanted;
  if (sign === "~") return said.toLowerCase().includes(wanted.toLowerCase());
  if (sign) return typeof value === "number" && (sign === "<" ? value < +wanted : value > +wanted);
  return value != null;
}

function render({ model, el: root }) {
  const now = { v: 0, first: 0, end: 0, total: 0, came: 0, dropped: 0, done: null, later: 0, names: [], state: null };
  let query = { ...NONE };
  let columns = [];
  let paused = null; // { end, came } of the moment
  let follow = true;
  let top = 0;
  let current = -1;
  let local = null; // rows that are here and pass the filter, until the kernel has answered
  let awaiting = false;
  let asked = null; // the window asked for, and when
  let drawn = 0;
  let unseen = false;
  let scrolled = 0;
  let tall = 0; // pixels of the view
  let range = 0; // pixels to scroll
  let typing = 0;
  let lastCame = null;
  const places = new Map(); // position -> row, of this filter
  const pool = new Map(); // id -> row, whatever the filter
  const selected = new Set();
  const rates = new Array(60).fill(0);

  // What is seen

  const bar = (...children) => el("div", { className: "gnb-bar" }, ...children);
  const push = () => el("span", { className: "gnb-push" });
  const label = (text, input) => el("label", {}, text, input);
  const changed = () => {
    clearTimeout(typing);
    typing = setTimeout(() => filter({
      text: search.value, path: path.value.trim(), start: seconds(from), end: seconds(to),
    }), 200);
  };
  const seconds = (input) => (input.value ? new Date(input.value).getTime() / 1000 : null);
  const search = el("input", { type: "search", placeholder: "text in name or payload", oninput: changed });
  const path = el("input", { type: "text", placeholder: "data.phase = end", oninput: changed, spellcheck: false });
  const from = el("input", { type: "datetime-local", step: 1, oninput: changed });
  const to = el("input", { type: "datetime-local", step: 1, oninput: changed });
  const column = el("input", { type: "text", placeholder: "data.phase", spellcheck: false });
  const button = (text, onclick, props = {}) => el("button", { type: "button", onclick, ...props }, text);
  const pause = button("Pause", () => setPaused(!paused), { "aria-pressed": "false" });
  const follower = el("input", { type: "checkbox", checked: true, onchange: () => setFollow(follower.checked) });
  const clear = button("Clear filter", () => filter(NONE), { hidden: true });
  const again = button("", () => filter({}), { hidden: true });
  const spark = el("canvas", { width: 240, height: 40, "aria-hidden": "true" });
  const rate = el("span", { className: "gnb-rate" });
  const summary = el("span", { className: "gnb-summary" });
  const chips = el("div", { className: "gnb-chips", role: "group", "aria-label": "Filter by event" });
  const note = el("div", { className: "gnb-note", role: "status" });
  const head = el("div", { className: "gnb-row gnb-head", role: "row" });
  const body = el("div", { className: "gnb-rows" });
  const spacer = el("div", { className: "gnb-spacer" });
  const view = el("div", { className: "gnb-view", tabIndex: 0, role: "grid", "aria-label": "Events", "aria-multiselectable": "true" }, head, body, spacer);
  const shade = el("div", { className: "gnb-gone", hidden: true });
  const inspector = el("section", { className: "gnb-inspector", "aria-label": "Event", hidden: true });
  const exports = ["jsonl", "parquet", "csv"].map((format) =>
    button(format.toUpperCase(), () => line_.ask("export", { format }), { title: "write what is shown to the kernel's disk" }));
  begin(root, "gnb-table");
  root.append(
    bar(spark, rate, summary, push(), pause, el("label", {}, follower, " Follow"), again),
    bar(label("Search ", search), el("details", { className: "gnb-more" }, el("summary", {}, "More filters, columns, export"),
      bar(label("Payload ", path), label("From ", from), label("To ", to)),
      el("form", { className: "gnb-bar", onsubmit: (event) => (event.preventDefault(), addColumn()) },
        label("Column ", column), el("button", { type: "submit" }, "Add column"), button("Remove columns", () => line_.ask("columns", { columns: [] })),
        push(), "Export ", ...exports)), clear),
    chips, shade, view, note, inspector,
  );

  // Drawing

  const span = () => (local ? [0, local.length] : [now.first, Math.max(paused ? Math.min(paused.end, now.end) : now.end, now.first)]);
  const fits = () => Math.max(Math.floor(tall / ROW), 1);
  const rowAt = (position) => (local ? local[position] : places.get(position));

  function draw() {
    if (!drawn) drawn = requestAnimationFrame(() => ((drawn = 0), drawNow()));
  }

  function drawNow() {
    unseen = !tall; // hidden for now: the next second tries again
    if (unseen) return;
    const [low, high] = span();
    const fit = fits();
    if (follow) top = high - fit;
    top = Math.max(Math.min(top, high - fit), low);
    // Nothing is measured here: each look would make the browser lay the page out once more.
    range = Math.max(Math.min((high - low) * ROW, TALLEST) - tall, 0);
    const wanted = high - low > fit ? Math.round(((top - low) / (high - low - fit)) * range) : 0;
    if (spacer.style.height !== `${range}px`) spacer.style.height = `${range}px`;
    if (Math.abs(scrolled - wanted) > 1) view.scrollTop = scrolled = wanted;
    const shown = Math.min(fit, high - low);
    while (body.children.length < shown) body.append(emptyLine());
    while (body.children.length > shown) body.lastChild.remove();
    let missing = false;
    for (let i = 0; i < shown; i++) {
      const row = rowAt(top + i);
      missing ||= !row;
      fill(body.children[i], row, top + i);
    }
    if (missing) askFor(top, fit);
    view.setAttribute("aria-rowcount", high - low);
    const active = current >= top && current < top + shown ? body.children[current - top].id : "";
    view.setAttribute("aria-activedescendant", active);
    drawBar(low, high);
  }

  function emptyLine() {
    const made = el("div", { className: "gnb-row", role: "row", id: `${line_.view}-${body.children.length}` });
    for (let i = 0; i < COLUMNS.length + columns.length + 1; i++) made.append(el("span", { role: "gridcell" }));
    return made;
  }

  function fill(made, row, position) {
    const cells = made.children;
    made.dataset.kind = row?.kind ?? "event";
    made.dataset.current = position === current;
    made.setAttribute("aria-rowindex", position + 1);
    made.setAttribute("aria-selected", Boolean(row && selected.has(row.id)));
    put(cells[0], row ? time.format(row.t / 1000) : "…");
    put(cells[1], row?.seq == null ? "" : String(row.seq));
    put(cells[2], row ? String(row.epoch) : "");
    put(cells[3], row ? row.name ?? row.kind : "");
    if (row?.name) cells[3].style.setProperty("--gnb-hue", hue(row.name));
    columns.forEach((_, i) => put(cells[4 + i], row?.cells[i] ?? ""));
    put(cells[4 + columns.length], !row ? "" : row.size > row.text.length ? `${row.text}…` : row.text);
  }

  function drawBar(low, high) {
    const shown = high - low;
    const parts = [shown === now.total ? `${count(shown)} rows` : `${count(shown)} of ${count(now.total)} rows`];
    if (local) parts[0] = `${count(shown)} of the ${count(pool.size)} rows that are here; the kernel has not answered yet`;
    if (now.done !== null) parts.push(`searching, ${Math.round(now.done * 100)} %`);
    if (paused) parts.push(`paused, +${count(now.came - paused.came)}`);
    if (now.state && now.state !== "connected") parts.push(now.state);
    put(summary, parts.join(" · "));
    again.hidden = !now.later;
    put(again, `Sort ${count(now.later)} newer rows in`);
    shade.hidden = !now.dropped || top > low || Boolean(local);
    put(shade, `▲ ${count(now.dropped)} older rows gave way to newer ones`);
    clear.hidden = JSON.stringify({ ...query, sort: "", descending: false }) === JSON.stringify(NONE);
  }

  function drawHead() {
    const names = [...COLUMNS, ...columns, "payload"];
    root.style.setProperty("--gnb-columns", `8em 5em 4em 11em ${"10em ".repeat(columns.length)}minmax(12em, 1fr)`);
    head.replaceChildren(...names.map((name, i) => {
      const way = query.sort !== name ? "none" : query.descending ? "descending" : "ascending";
      const cell = el("span", { role: "columnheader", "aria-sort": way });
      if (i === names.length - 1) cell.append(name);
      else cell.append(button(name + { none: "", ascending: " ▲", descending: " ▼" }[way], () => sort(name, way)));
      return cell;
    }));
    body.replaceChildren();
  }

  function drawChips() {
    const old = new Map([...chips.children].map((chip) => [chip.dataset.name, chip]));
    const names = now.names.map(([name]) => name);
    for (const name of query.events) if (!names.includes(name)) names.push(name);
    if (names.some((name) => !old.has(name)) || old.size !== names.length) {
      chips.replaceChildren(...names.map((name) => {
        const chip = old.get(name) ?? button("", () => toggle(name));
        chip.dataset.name = name;
        chip.style.setProperty("--gnb-hue", hue(name));
        return chip;
      }));
    }
    const counts = new Map(now.names);
    for (const chip of chips.children) {
      put(chip, `${chip.dataset.name} ${count(counts.get(chip.dataset.name) ?? 0)}`);
      chip.setAttribute("aria-pressed", query.events.includes(chip.dataset.name));
    }
  }

  function drawRate() {
    const most = Math.max(...rates, 1);
    const pen = spark.getContext("2d");
    pen.clearRect(0, 0, 240, 40);
    pen.fillStyle = getComputedStyle(spark).color;
    rates.forEach((value, i) => pen.fillRect(i * 4, 40 - (38 * value) / most, 3, 40));
    put(rate, `${count(rates.at(-2))} events/s`);
  }
  const everySecond = setInterval(() => {
    rates.push(0);
    rates.shift();
    drawRate();
    if (unseen) measure();
    if (asked && Date.now() - asked.when > 2000) {
      put(note, "The kernel is busy: rows that are not in the browser come when it is free.");
      asked = { ...asked, late: true };
    }
  }, 1000);

  // What the user does

  function filter(change) {
    query = { ...query, ...change };
    local = [...pool.values()].filter((row) => passes(row, query)).sort((a, b) => a.id - b.id);
    awaiting = line_.ask("query", { query });
    top = current = -1;
    showQuery();
    drawHead();
    drawChips();
    draw();
  }

  function showQuery() {
    const ours = (input) => document.activeElement === input;
    if (!ours(search)) search.value = query.text;
    if (!ours(path)) path.value = query.path;
    for (const [input, at] of [[from, query.start], [to, query.end]]) {
      // The field's number is the local time as if it were UTC.
      if (!ours(input)) input.valueAsNumber = at === null ? NaN : at * 1000 - new Date(at * 1000).getTimezoneOffset() * 60000;
    }
  }

  function toggle(name) {
    const rest = query.events.filter((other) => other !== name);
    filter({ events: rest.length < query.events.length ? rest : [...rest, name] });
  }

  function sort(name, way) {
    filter({ sort: way === "descending" ? "" : name, descending: way === "ascending" });
    setFollow(way === "descending");
  }

  function setPaused(yes) {
    paused = yes ? { end: now.end, came: now.came } : null;
    pause.setAttribute("aria-pressed", yes);
    put(pause, yes ? "Resume" : "Pause");
    put(note, yes ? "Paused; events are still kept." : "");
    line_.ask("here", { paused: yes });
    draw();
  }

  function setFollow(yes) {
    follow = follower.checked = yes;
    draw();
  }

  function addColumn() {
    const name = column.value.trim();
    if (name && !columns.includes(name)) line_.ask("columns", { columns: [...columns, name] });
    column.value = "";
  }

  function moveTo(position) {
    const [low, high] = span();
    top = Math.max(Math.min(Math.round(position), high - fits()), low);
    setFollow(top >= high - fits() && !query.sort);
  }

  function askFor(start, fit) {
    if (local || (asked && !asked.late && Date.now() - asked.when < 2000)) return;
    asked = { when: Date.now(), late: asked?.late };
    line_.ask("window", { v: now.v, start: Math.max(start - 50, 0), count: fit + 100 });
  }

  function choose(position, event) {
    const row = rowAt(position);
    if (!row) return;
    if (event.shiftKey && current >= 0 && !local) {
      line_.ask("select", { range: [Math.min(current, position), Math.max(current, position) + 1] });
      return;
    }
    if (!(event.ctrlKey || event.metaKey || event.key === " ")) selected.clear();
    if (selected.has(row.id)) selected.delete(row.id);
    else selected.add(row.id);
    current = position;
    line_.ask("select", { ids: [...selected] });
    if (!event.ctrlKey && !event.metaKey && event.key !== " ") line_.ask("row", { id: row.id });
    draw();
  }

  view.addEventListener("click", (event) => {
    const made = event.target.closest(".gnb-row");
    if (made?.parentElement === body) choose(top + [...body.children].indexOf(made), event);
  });
  view.addEventListener("wheel", (event) => {
    const [low, high] = span();
    const lines = Math.sign(event.deltaY) * Math.max(Math.round(Math.abs(event.deltaMode ? event.deltaY : event.deltaY / ROW)), 1);
    const end = event.deltaY < 0 ? top <= low : top >= high - fits();
    if (event.ctrlKey || !event.deltaY || end) return; // the notebook scrolls on
    event.preventDefault();
    moveTo(top + lines);
  }, { passive: false });
  view.addEventListener("scroll", () => {
    if (Math.abs(view.scrollTop - scrolled) < 2) return;
    const [low, high] = span();
    scrolled = view.scrollTop;
    moveTo(low + (view.scrollTop / Math.max(range, 1)) * (high - low - fits()));
  });
  view.addEventListener("keydown", (event) => {
    if (event.target !== view) return;
    const [low, high] = span();
    const page = fits();
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity }[event.key];
    if (step) {
      const start = current < 0 ? (event.key === "ArrowUp" ? top + page : top - 1) : current;
      current = Math.max(Math.min(start + step, high - 1), low);
      moveTo(current < top ? current : current >= top + page ? current - page + 1 : top);
    } else if (event.key === "Enter" || event.key === " ") choose(current, event);
    else if (event.key === "Escape") inspector.hidden = true;
    else return;
    event.preventDefault();
  });
  inspector.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    inspector.hidden = true;
    view.focus();
  });

  function inspect(row) {
    const said = `${row.name} · ${row.seq === null ? "" : `seq ${row.seq} · `}connection ${row.epoch} · ${row.time} · ${count(row.size)} bytes`;
    const onpath = (where) => {
      copy(where);
      column.value = where.replace(/^\$\.?/, "");
      put(note, `copied ${where}`);
    };
    let content;
    try {
      content = row.text === null ? "too large to show here; table.selected has it" : tree(parse(row.text), onpath);
    } catch {
      content = row.text;
    }
    inspector.replaceChildren(
      bar(el("strong", {}, said), push(),
        button("Copy JSON", () => (copy(row.text ?? ""), put(note, "copied the payload")), { disabled: row.text === null }),
        button("Close", () => ((inspector.hidden = true), view.focus()))),
      el("div", { className: "gnb-tree" }, content));
    inspector.hidden = false;
  }

  // What the kernel says

  function keep(told) {
    for (const row of rowsOf(told)) {
      pool.delete(row.id);
      pool.set(row.id, row);
      if (!awaiting) places.set(row.at, row);
      if (awaiting && passes(row, query) && local && !(local.at(-1)?.id >= row.id)) local.push(row);
    }
    for (const map of [pool, places]) for (const key of map.keys()) {
      if (map.size <= KEPT) break;
      map.delete(key);
    }
  }

  const said = {
    snapshot(told) {
      columns = told.columns;
      query = told.query;
      showQuery();
      rates.splice(0, 60, ...told.rates);
      rates.push(0);
      rates.shift();
      view.setAttribute("aria-label", `Events of ${told.title}`);
      said.selected(told.selected);
      drawHead();
      drawRate();
      said.push(told);
    },
    push(told) {
      const { v } = now;
      if (lastCame !== null && told.came > lastCame) rates[59] += told.came - lastCame;
      lastCame = told.came;
      if (awaiting && told.v === v) told = { ...told, first: now.first, end: now.end };
      Object.assign(now, told, { rows: undefined });
      if (local && !awaiting && (told.done === null || told.end > told.first)) local = null;
      if (told.rows) keep(told.rows);
      drawChips();
      draw();
    },
    query(told) {
      awaiting = false;
      query = told.query;
      Object.assign(now, { v: told.v, first: 0, end: 0, done: 0 });
      if (paused) paused.end = Infinity; // another filter, the same moment
      places.clear();
      asked = null;
      showQuery();
      drawHead();
      drawChips();
      draw();
    },
    rows(told) {
      asked = null;
      if (note.textContent.startsWith("The kernel is busy")) put(note, "");
      if (told.v === now.v) keep(told.rows);
      draw();
    },
    columns(told) {
      columns = told;
      pool.clear();
      drawHead();
      draw();
    },
    selected(ids) {
      selected.clear();
      ids.forEach((id) => selected.add(id));
      draw();
    },
    row: inspect,
    note: (text) => put(note, text),
    problem(text) {
      put(note, text);
      awaiting = false;
      local = null;
      draw();
    },
  };
  const line_ = link(model, (kind, told) => said[kind]?.(told));
  const measure = () => {
    tall = body.clientHeight;
    scrolled = view.scrollTop; // lost where it was hidden
    draw();
  };
  const sizes = new ResizeObserver(measure);
  sizes.observe(view);
  drawHead();
  drawRate();

  return () => {
    sizes.disconnect();
    clearInterval(everySecond);
    clearTimeout(typing);
    cancelAnimationFrame(drawn);
    line_.close();
  };
}

export default { render };
