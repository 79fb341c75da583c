import { card, runs } from "../card.js";
import { button, el, keep, put } from "../dom.js";
import { connect } from "../link.js";

const DECISIONS = [
  { label: "Allow once", name: "allow-once", key: "a", careful: true },
  { label: "Always allow", name: "allow-always", careful: true },
  { label: "Deny", name: "deny", key: "d" },
];

/** Return seconds in the one or two units that matter. */
const span = (s) => (s < 1 ? "over" : s < 90 ? `${Math.floor(s)} s` : s < 5400 ? `${Math.round(s / 60)} min` : `${Math.round(s / 3600)} h`);

function render({ model, el: root }) {
  let items = []; // with `until`, when its time is over by this page's clock
  let shown = null; // the number of the one below, which stays there until somebody takes another
  let current = null; // its card or form, with `close` and `end`
  let able = false;

  const state = el("strong", { role: "status" });
  const means = el("div", { className: "gnb-note" });
  const notice = el("div", { className: "gnb-warning" });
  const start = button("Decide here", () => line.ask("start"));
  const list = el("div", { role: "listbox", tabIndex: 0, "aria-label": "What waits", onkeydown: move });
  const place = el("div");
  const problem = el("div", { className: "gnb-warning", role: "alert" });
  root.append(el("div", { className: "gnb-bar" }, state, start), means, notice, list, place, problem);
  root.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select, fieldset");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (current?.press?.(event.key)) event.preventDefault();
  });

  function show(number) {
    if (number === shown) return;
    shown = number;
    clear();
    draw();
    line.ask("show", { id: number });
  }

  function clear() {
    current?.end?.();
    current = null;
    place.replaceChildren();
    put(problem, "");
  }

  function move(event) {
    const step = { ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity }[event.key];
    if (!step || !items.length) return;
    event.preventDefault();
    const at = items.findIndex(({ id }) => id === shown);
    show(items[Math.min(Math.max(at + step, 0), items.length - 1)].id);
    list.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
  }

  const row = ({ id }) =>
    el("div", { role: "option", onclick: () => (show(id), list.focus()) }, el("span"), el("span"), el("span"), el("span"));

  function draw() {
    keep(list, items, row, (element, item) => {
      const [kind, text, who, left] = element.children;
      put(kind, item.kind);
      put(text, item.line);
      put(who, item.who);
      put(left, item.outcome ?? span((item.until - performance.now()) / 1000));
      element.classList.toggle("gnb-over", item.outcome !== null);
      element.setAttribute("aria-selected", item.id === shown);
    });
    const item = items.find(({ id }) => id === shown);
    if (current && (!item || item.outcome !== null)) current.close(item?.outcome ?? "it does not wait any more");
    else if (current && !current.sent) current.close(able ? null : "not connected");
  }

  function answer(name, answers) {
    current.sent = line.ask("answer", { id: shown, answer: name, answers });
    current.close(current.sent ? "sent…" : "no kernel");
  }

  function form({ about, questions }) {
    const fields = questions.map((question) => {
      const type = question.multiple ? "checkbox" : "radio";
      const name = `${shown}-${question.id}`;
      const choices = question.options.map(([label, text, more]) => {
        const input = el("input", { type, name, value: label });
        return el("label", {}, input, " ", ...runs(text), ...(more.length ? [" · ", ...runs(more)] : []));
      });
      const other = el("input", { type: "text", autocomplete: "off", "aria-label": "Another answer", placeholder: "another answer" });
      if (question.free) choices.push(other);
      const fieldset = el("fieldset", {}, el("legend", {}, ...runs(question.header)), el("pre", {}, ...runs(question.text)), ...choices);
      if (!question.multiple) { // one answer: an option, or what is typed
        other.addEventListener("input", () => fieldset.querySelectorAll("input:checked").forEach((input) => (input.checked = false)));
        fieldset.addEventListener("change", (event) => event.target.type === "radio" && (other.value = ""));
      }
      const chosen = () => [...fieldset.querySelectorAll("input:checked")].map((input) => input.value);
      return { id: question.id, fieldset, value: () => [...chosen(), ...(other.value.trim() ? [other.value] : [])] };
    });
    const hint = el("span", { className: "gnb-note", role: "status" });
    const buttons = [
      el("button", { type: "submit" }, "Answer"),
      button("Cancel the question", () => answer("cancel")),
    ];
    const element = el("form", { autocomplete: "off", className: "gnb-decision", onsubmit(event) {
      event.preventDefault();
      answer("answer", Object.fromEntries(fields.map(({ id, value }) => [id, value()])));
    } }, ...fields.map(({ fieldset }) => fieldset), el("div", { className: "gnb-note" }, about), el("div", { className: "gnb-bar" }, ...buttons, hint));
    return { element, close(why) {
      put(hint, why ?? "");
      for (const each of buttons) each.disabled = why !== null;
      for (const { fieldset } of fields) fieldset.disabled = why !== null;
    } };
  }

  const line = connect(model, root, "gnb-approvals", {
    items(body) {
      const now = performance.now();
      items = body.items.map((item) => ({ ...item, until: now + item.left * 1000 }));
      able = body.current;
      const waiting = items.filter(({ outcome }) => outcome === null);
      put(state, body.listening ? `${waiting.length} waiting` : "The gateway does not ask here");
      start.hidden = body.listening;
      put(means, body.means);
      put(notice, body.notice);
      if (shown === null && waiting.length) show(waiting[0].id);
      draw();
    },
    item(body) {
      if (body.id !== shown) return;
      clear();
      const actions = DECISIONS.filter(({ name }) => body.decisions.includes(name));
      current = body.questions.length ? form(body) : card({ ...body, actions, answer });
      place.append(current.element);
      draw();
    },
    problem(text) {
      put(problem, text);
      if (current) current.sent = false;
      draw();
    },
  });
  const clock = setInterval(draw, 1000);
  return () => {
    clearInterval(clock);
    current?.end?.();
    line.close();
  };
}

export default { render };
