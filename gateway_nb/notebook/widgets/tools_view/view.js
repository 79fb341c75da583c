import { card } from "../card.js";
import { el, keep, put } from "../dom.js";
import { connect } from "../link.js";

function render({ model, el: root }) {
  const names = el("strong", { role: "status" });
  const notice = el("div", { className: "gnb-warning" });
  const problem = el("div", { className: "gnb-warning", role: "alert" });
  const waiting = el("div", { "aria-label": "Calls that wait", role: "group" });
  const calls = el("div", { className: "gnb-calls", "aria-label": "Calls", role: "group" });
  root.append(el("div", {}, names), notice, waiting, problem, calls);

  const actions = [
    { label: "Allow", name: "allow", careful: true },
    { label: "Deny", name: "deny" },
  ];
  const cards = new Map();
  const make = ({ id, text, session }) => {
    const about = `asked by ${session}`;
    const made = card({ about, parts: [["Call", text]], actions, answer: (name) => line.ask(name, { id }) });
    cards.set(id, made);
    return made.element;
  };
  const row = () =>
    el("details", {}, el("summary"), el("dl", {}, ...["Arguments", "Answer", "Printed", "Progress"].flatMap(
      (name) => [el("dt", {}, name), el("dd", {}, el("pre"))],
    )));

  const line = connect(model, root, "gnb-tools", {
    tools(state) {
      put(names, state.names.length ? `Tools: ${state.names.join(", ")}` : "No tools; @gw.tool offers a function to agents");
      put(notice, state.notice ?? "");
      put(problem, "");
      keep(waiting, state.waiting, make);
      const left = new Set(state.waiting.map(({ id }) => id));
      for (const [id, each] of cards) if (!left.has(id)) (each.end(), cards.delete(id));
      keep(calls, state.calls, row, (element, call) => {
        put(element.querySelector("summary"), call.line);
        element.querySelectorAll("pre").forEach((pre, i) => put(pre, call.texts[i]));
      });
    },
    problem(text) {
      put(problem, text);
    },
  });
  return () => {
    for (const each of cards.values()) each.end();
    line.close();
  };
}

export default { render };
