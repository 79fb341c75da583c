import { button, copy, el, put } from "../dom.js";
import { connect } from "../link.js";
import { parse, tree } from "../tree.js";
import { cellOf, withParam } from "./params.js";

const HISTORY_TEXT = 40;

const field = (text, input) => el("label", {}, el("span", {}, text), input);

function render({ model, el: root }) {
  let connection = "default";
  let names = [];
  let earlier = [];
  let text = "";

  const search = el("input", { type: "search", placeholder: "find a method", spellcheck: false, oninput: () => list() });
  const methods = el("select", { size: 8, "aria-label": "Methods", onchange: () => ((method.value = methods.value), check()) });
  const method = el("input", { type: "text", required: true, spellcheck: false, autocomplete: "off", oninput: () => check() });
  const params = el("textarea", { rows: 5, spellcheck: false, placeholder: "limit: 5", oninput: () => check() });
  const problem = el("div", { className: "gnb-warning", role: "status" });
  const choices = el("div", { className: "gnb-bar", role: "group", "aria-label": "What it takes" });
  const about = el("pre");
  const final = el("input", { type: "checkbox", onchange: () => check() });
  const send = el("button", { type: "submit" }, "Send");
  const cancel = button("Cancel", () => line.ask("cancel"), { disabled: true });
  const outcome = el("div", { className: "gnb-note", role: "status" });
  const answer = el("div", { className: "gnb-tree" });
  const history = el("select", { "aria-label": "Called before", onchange: () => recall() });
  const cell = el("textarea", { rows: 3, readOnly: true, "aria-label": "As a cell" });
  root.append(
    el("div", { className: "gnb-pick" }, search, methods),
    el("form", { autocomplete: "off", onsubmit: submit },
      field("Method", method), field("Params", params), problem, choices,
      el("details", {}, el("summary", {}, "About this method"), about),
      el("div", { className: "gnb-bar" }, send, cancel, el("label", {}, final, " wait for the final answer"), el("span", { className: "gnb-push" }), history),
      outcome, answer,
      el("details", {}, el("summary", {}, "As a cell"), cell, button("Copy cell", () => copy(cell.value)), " ",
        button("Copy answer", () => copy(text)))),
  );

  function list() {
    const wanted = search.value.toLowerCase();
    methods.replaceChildren(...names.filter((name) => name.toLowerCase().includes(wanted)).map((name) => el("option", { value: name }, name)));
    methods.value = method.value;
  }

  /** Ask the kernel what it thinks of the params, and write the cell that does the same. */
  function check() {
    line.ask("about", { method: method.value.trim(), params: params.value });
    cell.value = cellOf(method.value, params.value, final.checked, connection);
  }

  function submit(event) {
    event.preventDefault();
    put(outcome, "sent…");
    answer.replaceChildren();
    cancel.disabled = false;
    line.ask("call", { method: method.value.trim(), params: params.value, final: final.checked });
  }

  function recall() {
    const entry = earlier[history.value];
    if (entry) [method.value, params.value] = [entry.method, entry.params];
    history.value = "";
    check();
  }

  function add(name, value) {
    params.value = withParam(params.value, name, value);
    check();
  }

  const line = connect(model, root, "gnb-request", {
    methods(body) {
      ({ names, connection } = body);
      list();
      check();
    },
    about(facts) {
      if (facts.method !== method.value.trim() || facts.body !== params.value) return; // typed on meanwhile
      send.disabled = facts.refused;
      put(about, facts.text);
      put(problem, facts.findings.join("; "));
      choices.replaceChildren(...facts.params.map(({ name, required, value }) =>
        button(required ? `${name} *` : name, () => add(name, value))));
    },
    history(entries) {
      earlier = entries;
      const options = entries.map((entry, i) =>
        el("option", { value: i }, `${entry.ok ? "✓" : "✕"} ${entry.method} ${entry.params.slice(0, HISTORY_TEXT)}`));
      history.replaceChildren(el("option", { value: "" }, "Called before"), ...options.reverse());
    },
    answer(body) {
      cancel.disabled = true;
      text = body.text ?? "";
      put(outcome, `${body.method} · ${body.ms} ms${body.error ? ` · ${body.error}` : ""}`);
      if (body.text === undefined) return;
      answer.replaceChildren(tree(parse(body.text), (path) => (copy(path), put(outcome, `copied ${path}`))));
    },
    problem(message) {
      cancel.disabled = true;
      put(outcome, message);
    },
  });
  check();
  return () => line.close();
}

export default { render };
