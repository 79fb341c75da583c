import { button, el, put } from "../dom.js";
import { connect } from "../link.js";

const FILTER_MS = 200;
const LABELS = { n: "lines" };
const HINTS = { session: "agent:main:*", since: "7d", limit: "1000", n: "1000" };

function render({ model, el: root }) {
  let books = {};
  let bys = [];
  let state = { sort: null, descending: false, start: 0, page: 0, shown: 0 };
  let typing;

  const book = el("select", { "aria-label": "Book", onchange: () => fields() });
  const options = el("span", { className: "gnb-bar" });
  const read = el("button", { type: "submit" }, "Read");
  const cancel = button("Cancel", () => line.ask("cancel"), { disabled: true });
  const outcome = el("div", { className: "gnb-note", role: "status" });
  const filter = el("input", { type: "search", placeholder: "rows that contain", "aria-label": "Filter", spellcheck: false,
    oninput: () => (clearTimeout(typing), (typing = setTimeout(() => query({}), FILTER_MS))) });
  const earlier = button("‹", () => turn(-1), { "aria-label": "Rows before" });
  const later = button("›", () => turn(1), { "aria-label": "Rows after" });
  const exports = [".csv", ".parquet"].map((format) => button(`Export ${format}`, () => line.ask("export", { format })));
  const place = el("span");
  const tools = el("div", { className: "gnb-bar", hidden: true }, filter, earlier, place, later, el("span", { className: "gnb-push" }), ...exports);
  const head = el("tr");
  const body = el("tbody");
  root.append(
    el("form", { autocomplete: "off", onsubmit: submit }, book, options, read, cancel), outcome, tools,
    el("div", { className: "gnb-scroll", tabIndex: 0, role: "region", "aria-label": "Rows" }, el("table", {}, el("thead", {}, head), body)),
  );

  /** Offer a field for each option that the chosen book takes. */
  function fields() {
    options.replaceChildren(...(books[book.value] ?? []).map((name) => {
      const label = LABELS[name] ?? name;
      const input = name === "by"
        ? el("select", { name, "aria-label": label }, ...bys.map((by) => el("option", { value: by }, by)))
        : el("input", { name, type: "text", "aria-label": label, placeholder: HINTS[name] ?? "", spellcheck: false });
      return el("label", {}, label, input);
    }));
  }

  function submit(event) {
    event.preventDefault();
    const given = [...options.querySelectorAll("[name]")].filter((input) => input.value.trim());
    cancel.disabled = false;
    put(outcome, "reading…");
    line.ask("read", { book: book.value, options: Object.fromEntries(given.map((input) => [input.name, input.value.trim()])) });
  }

  function query(change) {
    const { sort, descending } = { ...state, ...change };
    line.ask("query", { text: filter.value, sort, descending });
  }

  const turn = (pages) => line.ask("page", { start: state.start + pages * state.page });

  function draw() {
    tools.hidden = false;
    const last = state.start + state.rows.length;
    const all = state.shown === state.all ? "" : ` (${state.all.toLocaleString()} without the filter)`;
    put(place, `${state.book}: ${Math.min(state.start + 1, last)} to ${last} of ${state.shown.toLocaleString()} rows${all}`);
    earlier.disabled = state.start === 0;
    later.disabled = last >= state.shown;
    head.replaceChildren(...state.columns.map(({ name, number }) => {
      const sorted = state.sort === name;
      const sign = sorted ? (state.descending ? " ▼" : " ▲") : "";
      const order = sorted ? (state.descending ? "descending" : "ascending") : "none";
      return el("th", { scope: "col", className: number ? "gnb-numeric" : "", "aria-sort": order },
        button(name + sign, () => query({ sort: name, descending: sorted && !state.descending })));
    }));
    body.replaceChildren(...state.rows.map((row) => el("tr", {}, ...row.map((text, i) =>
      el("td", { title: text, className: state.columns[i].number ? "gnb-numeric" : "" }, text)))));
  }

  const line = connect(model, root, "gnb-data", {
    books(message) {
      ({ books, bys } = message);
      book.replaceChildren(...Object.keys(books).map((name) => el("option", { value: name }, name)));
      fields();
    },
    progress(text) {
      if (!cancel.disabled) put(outcome, text);
    },
    rows(message) {
      if (!cancel.disabled) filter.value = "";
      cancel.disabled = true;
      put(outcome, "");
      state = { sort: null, descending: false, ...message };
      draw();
    },
    note(text) {
      put(outcome, text);
    },
    problem(text) {
      cancel.disabled = true;
      put(outcome, text);
    },
  });
  return () => {
    clearTimeout(typing);
    line.close();
  };
}

export default { render };
