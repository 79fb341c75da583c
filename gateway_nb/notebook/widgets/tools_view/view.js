import { button, el, put } from "../dom.js";
import { connect } from "../link.js";

/** Keep one element per item, in the items' order, made by `make` and brought up to date by `update`. */
function keep(parent, items, make, update) {
  const before = new Map([...parent.children].map((child) => [child.dataset.id, child]));
  const wanted = items.map((item) => {
    const child = before.get(String(item.id)) ?? make(item);
    child.dataset.id = item.id;
    update(child, item);
    return child;
  });
  const same = wanted.length === parent.children.length && wanted.every((child, i) => child === parent.children[i]);
  if (!same) parent.replaceChildren(...wanted); // else a click that is under way keeps its button
}

function render({ model, el: root }) {
  const names = el("strong", { role: "status" });
  const notice = el("div", { className: "gnb-warning" });
  const problem = el("div", { className: "gnb-warning", role: "alert" });
  const waiting = el("div", { "aria-label": "Calls that wait", role: "group" });
  const calls = el("div", { className: "gnb-calls", "aria-label": "Calls", role: "group" });
  root.append(el("div", {}, names), notice, waiting, problem, calls);

  const card = ({ id }) =>
    el(
      "div",
      { className: "gnb-call" },
      el("code"),
      el(
        "div",
        { className: "gnb-bar" },
        button("Allow", () => line.ask("allow", { id })),
        button("Deny", () => line.ask("deny", { id })),
        el("span", { className: "gnb-note" }),
      ),
    );
  const row = () =>
    el("details", {}, el("summary"), el("dl", {}, ...["Arguments", "Answer", "Printed", "Progress"].flatMap(
      (name) => [el("dt", {}, name), el("dd", {}, el("pre"))],
    )));

  const line = connect(model, root, "gnb-tools", {
    tools(state) {
      put(names, state.names.length ? `Tools: ${state.names.join(", ")}` : "No tools; @gw.tool offers a function to agents");
      put(notice, state.notice ?? "");
      put(problem, "");
      keep(waiting, state.waiting, card, (element, call) => {
        put(element.querySelector("code"), `${call.tool}(${call.arguments})`);
        put(element.querySelector("span"), `asked by ${call.session}`);
      });
      keep(calls, state.calls, row, (element, call) => {
        put(element.querySelector("summary"), call.line);
        element.querySelectorAll("pre").forEach((pre, i) => put(pre, call.texts[i]));
      });
    },
    problem(text) {
      put(problem, text);
    },
  });
  return () => line.close();
}

export default { render };
