import { el, put } from "../dom.js";
import { connect } from "../link.js";

function render({ model, el: root }) {
  const state = el("strong", { role: "status" });
  const dot = el("span", { className: "gnb-dot", "aria-hidden": "true" });
  const list = el("dl");
  const log = el("pre", { tabIndex: 0, "aria-label": "Log" });
  root.append(el("div", {}, dot, state), list, el("details", {}, el("summary", {}, "Log"), log));

  const line = connect(model, root, "gnb-status", {
    status(status) {
      root.dataset.state = status.state;
      put(dot, status.state === "connected" ? "●" : "○");
      put(state, status.text);
      const names = status.rows.map(([name]) => name).join();
      if (list.dataset.names !== names) {
        list.dataset.names = names;
        list.replaceChildren(...status.rows.flatMap(([name]) => [el("dt", {}, name), el("dd")]));
      }
      status.rows.forEach(([, text], i) => put(list.children[2 * i + 1], text));
      const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 4;
      put(log, status.log.join("\n"));
      if (atEnd) log.scrollTop = log.scrollHeight;
    },
  });
  return () => line.close();
}

export default { render };
