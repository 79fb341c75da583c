function render({ model, el: root }) {
  const state = el("strong", { role: "status" });
  const dot = el("span", { className: "gnb-dot", "aria-hidden": "true" });
  const list = el("dl");
  const log = el("pre", { tabIndex: 0, "aria-label": "Log" });
  begin(root, "gnb-status");
  root.append(el("div", {}, dot, state), list, el("details", {}, el("summary", {}, "Log"), log));

  const line = link(model, (kind, told) => {
    if (kind !== "status") return;
    root.dataset.state = told.state;
    put(dot, told.state === "connected" ? "●" : "○");
    put(state, told.text);
    const names = told.rows.map(([name]) => name).join();
    if (list.dataset.names !== names) {
      list.dataset.names = names;
      list.replaceChildren(...told.rows.flatMap(([name]) => [el("dt", {}, name), el("dd")]));
    }
    told.rows.forEach(([, text], i) => put(list.children[2 * i + 1], text));
    const end = log.scrollTop + log.clientHeight >= log.scrollHeight - 4;
    put(log, told.log.join("\n"));
    if (end) log.scrollTop = log.scrollHeight;
  });
  return () => line.close();
}

export default { render };
