// What a table shows: the rows that are here, the filter and the place. No page, no kernel.

export const KEPT = 20000; // rows kept in the browser
export const NO_FILTER = { events: [], text: "", start: null, end: null, path: "", sort: "", descending: false };

// Name, width, and the least width of the table at which the column is shown.
const COLUMNS = [["time", "8em", 0], ["seq", "5em", 480], ["epoch", "4em", 760], ["event", "minmax(6em, 10em)", 0]];
const GATEWAY = ["gateway", "minmax(5em, 9em)", 0];
const PATH_WIDTH = "minmax(5em, 1fr)";
const LAST_COLUMNS = [["summary", "minmax(16em, 3fr)", 0], ["payload", "minmax(6em, 1fr)", 700]];

/** Return the columns that fit a width in pixels: `{ name, width, cell }`, `cell` being the number of a path. */
export function columnsFor(width, paths, gateways = false) {
  const fixed = (columns) => columns.filter(([, , least]) => width >= least).map(([name, size]) => ({ name, width: size }));
  return [...fixed(gateways ? [GATEWAY, ...COLUMNS] : COLUMNS), ...paths.map((name, cell) => ({ name, width: PATH_WIDTH, cell })), ...fixed(LAST_COLUMNS)];
}

/** Return the kernel's columns as rows. */
export function rowsOf(table) {
  return table.ids.map((id, i) => ({
    id, at: table.at + i, t: table.t[i], seq: table.seq[i], epoch: table.epoch[i], name: table.name[i],
    kind: table.kind[i], gateway: table.gateway?.[i], summary: table.summary[i], text: table.text[i], size: table.size[i],
    cells: table.cells.map((column) => column[i]),
  }));
}

/** Whether a row passes a filter, as far as its first bytes tell. Conditions on payloads are the kernel's alone. */
export function passes(row, query) {
  if (row.name !== null && query.events.length && !query.events.includes(row.name)) return false;
  if (query.start !== null && row.t < query.start * 1e6) return false;
  if (query.end !== null && row.t >= query.end * 1e6) return false;
  const text = query.text.toLowerCase();
  return !text || (row.gateway ?? "").toLowerCase().includes(text) || (row.name ?? "").toLowerCase().includes(text) || row.text.toLowerCase().includes(text);
}

/** Return what a filter asks for, a text for each part of it. */
export function filterParts(query) {
  const time = (seconds) => new Date(seconds * 1000).toLocaleString();
  const parts = [];
  if (query.events.length) parts.push(`event ${query.events.join(" or ")}`);
  if (query.text) parts.push(`text “${query.text}”`);
  if (query.path) parts.push(`payload ${query.path}`);
  if (query.start !== null) parts.push(`from ${time(query.start)}`);
  if (query.end !== null) parts.push(`to ${time(query.end)}`);
  return parts;
}

export class TableState {
  counts = { v: 0, first: 0, end: 0, total: 0, came: 0, dropped: 0, done: null, later: 0, names: [], state: null };
  query = { ...NO_FILTER };
  columns = []; // paths
  gateways = false; // whether rows are of several
  follow = true;
  top = 0; // position of the first row in sight
  current = -1; // position that the keyboard moves
  paused = null; // { end, came } of the moment
  local = null; // rows that are here and pass the filter, until the kernel has answered
  awaiting = false; // the kernel's answer to a new filter
  selected = new Set(); // ids
  rates = new Array(60).fill(0); // events in each of the last seconds
  #places = new Map(); // position -> row, of this filter
  #pool = new Map(); // id -> row, whatever the filter
  #came = null;
  #fit = 0; // rows in sight

  /** Positions of the first row and after the last. */
  get span() {
    if (this.local) return [0, this.local.length];
    const { first, end } = this.counts;
    return [first, Math.max(this.paused ? Math.min(this.paused.end, end) : end, first)];
  }

  get here() {
    return this.#pool.size;
  }

  rowAt(position) {
    return this.local ? this.local[position] : this.#places.get(position);
  }

  /** Move the rows in sight to where they belong, with room for `fit` rows; return the span. */
  settle(fit) {
    const [low, high] = this.span;
    const chosen = this.current >= this.top && this.current < this.top + this.#fit;
    if (this.follow) this.top = high - fit;
    else if (chosen && this.current >= this.top + fit) this.top = this.current - fit + 1; // stays in sight
    this.top = Math.max(Math.min(this.top, high - fit), low);
    this.#fit = fit;
    return [low, high];
  }

  moveTo(position, fit) {
    const [low, high] = this.span;
    this.top = Math.max(Math.min(Math.round(position), high - fit), low);
    this.follow = this.top >= high - fit && !this.query.sort;
  }

  /** Move the keyboard's row by some rows, and the rows in sight with it. */
  step(rows, fit) {
    const [low, high] = this.span;
    const start = this.current < 0 ? (rows === -1 ? this.top + fit : this.top - 1) : this.current;
    this.current = Math.max(Math.min(start + rows, high - 1), low);
    const below = this.current >= this.top + fit ? this.current - fit + 1 : this.top;
    this.moveTo(this.current < this.top ? this.current : below, fit);
  }

  /** Change the filter. Until the kernel answers, rows that are here are shown, where they can tell. */
  filter(change) {
    const { path } = this.query;
    this.query = { ...this.query, ...change };
    this.local = null;
    if (!this.query.path) {
      this.local = [...this.#pool.values()].filter((row) => passes(row, this.query)).sort((a, b) => a.id - b.id);
    } else if (path === this.query.path) {
      const rows = [...this.#places.values()]; // these meet the condition
      this.local = rows.filter((row) => passes(row, this.query)).sort((a, b) => a.id - b.id);
    }
    this.awaiting = true;
    this.top = this.current = -1;
  }

  pause(yes) {
    this.paused = yes ? { end: this.counts.end, came: this.counts.came } : null;
  }

  /** Select a row alone, which then stays in sight, or add it to the others or take it away from them. */
  select(row, position, alone) {
    if (alone) {
      this.selected.clear();
      this.follow = false;
    }
    if (!this.selected.delete(row.id)) this.selected.add(row.id);
    this.current = position;
  }

  nextSecond() {
    this.rates.push(0);
    this.rates.shift();
  }

  // From the kernel

  snapshot({ columns, gateways, query, rates, selected, ...body }) {
    this.columns = columns;
    this.gateways = Boolean(gateways);
    this.query = query;
    this.rates = [...rates];
    this.nextSecond();
    this.selected = new Set(selected);
    this.push(body);
  }

  push({ rows, ...counts }) {
    if (this.#came !== null && counts.came > this.#came) this.rates[59] += counts.came - this.#came;
    this.#came = counts.came;
    const { v, first, end } = this.counts;
    Object.assign(this.counts, counts);
    if (this.awaiting && counts.v === v) Object.assign(this.counts, { first, end }); // of the filter before
    if (!this.awaiting && (counts.done === null || counts.end > counts.first)) this.local = null;
    if (rows) this.#keep(rows);
  }

  answer({ v, query }) {
    this.awaiting = false;
    this.query = query;
    Object.assign(this.counts, { v, first: 0, end: 0, done: 0 });
    if (this.paused) this.paused.end = Infinity; // another filter, the same moment
    this.#places.clear();
  }

  window({ v, rows }) {
    if (v === this.counts.v) this.#keep(rows);
  }

  expand(paths) {
    this.columns = paths;
    this.#pool.clear();
  }

  refuse() {
    this.awaiting = false;
    this.local = null;
  }

  #keep(table) {
    for (const row of rowsOf(table)) {
      this.#pool.delete(row.id);
      this.#pool.set(row.id, row);
      if (!this.awaiting) this.#places.set(row.at, row);
      else if (this.local && !this.query.path && passes(row, this.query) && !(this.local.at(-1)?.id >= row.id)) {
        this.local.push(row);
      }
    }
    for (const map of [this.#pool, this.#places]) {
      for (const key of map.keys()) {
        if (map.size <= KEPT) break;
        map.delete(key);
      }
    }
  }
}
