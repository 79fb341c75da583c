function render({ model, el: root }) {
  let connection = "default";
  let names = [];

  const field = (text, input) => el("label", {}, el("span", {}, text), input);
  const button = (text, onclick) => el("button", { type: "button", onclick }, text);
  const search = el("input", { type: "search", placeholder: "find a method", spellcheck: false, oninput: () => list() });
  const methods = el("select", { size: 8, "aria-label": "Methods", onchange: () => ((method.value = methods.value), check()) });
  const method = el("input", { type: "text", required: true, spellcheck: false, autocomplete: "off", oninput: () => check() });
  const params = el("textarea", { rows: 5, spellcheck: false, placeholder: '{"limit": 5}', oninput: () => check() });
  const problem = el("div", { className: "gnb-warning", role: "status" });
  const known = el("div", { className: "gnb-bar", role: "group", "aria-label": "What it takes" });
  const about = el("pre");
  const final = el("input", { type: "checkbox", onchange: () => check() });
  const send = el("button", { type: "submit" }, "Send");
  const cancel = button("Cancel", () => line.ask("cancel"));
  const said = el("div", { className: "gnb-note", role: "status" });
  const answer = el("div", { className: "gnb-tree" });
  const history = el("select", { "aria-label": "Called before", onchange: () => recall() });
  const cell = el("textarea", { rows: 3, readOnly: true, "aria-label": "As a cell" });
  let before = [];
  let text = "";
  cancel.disabled = true;

  begin(root, "gnb-request");
  root.append(
    el("div", { className: "gnb-pick" }, search, methods),
    el("form", { autocomplete: "off", onsubmit: submit },
      field("Method", method), field("Params", params), problem, known,
      el("details", {}, el("summary", {}, "What is known of it"), about),
      el("div", { className: "gnb-bar" }, send, cancel, el("label", {}, final, " wait for the final answer"), el("span", { className: "gnb-push" }), history),
      said, answer,
      el("details", {}, el("summary", {}, "As a cell"), cell, button("Copy cell", () => copy(cell.value)), " ",
        button("Copy answer", () => copy(text)))),
  );

  function list() {
    const wanted = search.value.toLowerCase();
    methods.replaceChildren(...names.filter((name) => name.toLowerCase().includes(wanted)).map((name) => el("option", { value: name }, name)));
    methods.value = method.value;
  }

  /** Say what is wrong with the params, and write the cell that does the same. */
  function check() {
    let wrong = "";
    try {
      const value = params.value.trim() ? JSON.parse(params.value) : {};
      if (value === null || typeof value !== "object" || Array.isArray(value)) wrong = "the params must be a JSON object";
    } catch (error) {
      wrong = error.message;
    }
    put(problem, wrong);
    send.disabled = Boolean(wrong);
    if (!wrong) line.ask("about", { method: method.value.trim(), params: params.value });
    const options = (final.checked ? " --final" : "") + (connection === "default" ? "" : ` -c ${JSON.stringify(connection)}`);
    // In a cell a dollar begins a variable's name, and two are a dollar.
    const body = params.value.replaceAll("$", "$$$$");
    cell.value = body.trim() ? `%%gateway ${method.value}${options}\n${body}` : `%gateway call ${method.value}${options}`;
  }

  /** Add a param at the end, as text: read and written anew, large numbers would lose digits. */
  function add(name, value) {
    const text = params.value.trim() || "{}";
    if (!text.endsWith("}") || name in JSON.parse(text)) return;
    const before = text.slice(0, -1).trimEnd();
    params.value = `${before}${before === "{" ? "" : ", "}${JSON.stringify(name)}: ${JSON.stringify(value)}}`;
    check();
  }

  function submit(event) {
    event.preventDefault();
    put(said, "sent…");
    answer.replaceChildren();
    cancel.disabled = false;
    line.ask("call", { method: method.value.trim(), params: params.value, final: final.checked });
  }

  function recall() {
    const entry = before[history.value];
    if (entry) [method.value, params.value] = [entry.method, entry.params];
    history.value = "";
    check();
  }

  const hear = {
    methods(told) {
      ({ names, connection } = told);
      list();
      check();
    },
    about(told) {
      if (told.method !== method.value.trim() || told.body !== params.value) return;
      put(about, told.text);
      put(problem, told.findings.join("; "));
      known.replaceChildren(...told.params.map(({ name, required, value }) => button(required ? `${name} *` : name, () => add(name, value))));
    },
    history(told) {
      before = told;
      const options = told.map((entry, i) => el("option", { value: i }, `${entry.ok ? "✓" : "✕"} ${entry.method} ${entry.params.slice(0, 40)}`)).reverse();
      history.replaceChildren(el("option", { value: "" }, "Called before"), ...options);
    },
    answer(told) {
      cancel.disabled = true;
      text = told.text ?? "";
      put(said, `${told.method} · ${told.ms} ms${told.error ? ` · ${told.error}` : ""}`);
      if (told.text !== undefined) answer.replaceChildren(tree(parse(told.text), (path) => (copy(path), put(said, `copied ${path}`))));
    },
    problem(told) {
      cancel.disabled = true;
      put(said, told);
    },
  };
  const line = link(model, (kind, told) => hear[kind]?.(told));
  check();
  return () => line.close();
}

export default { render };
