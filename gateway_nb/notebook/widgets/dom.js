// What the widgets' scripts share; put in front of each. What comes from a gateway is hostile text: it only ever
// becomes text nodes, never markup.

/** Make an element: properties and attributes, `on...` listeners, children (strings become text nodes). */
function el(tag, props = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name in made && name !== "list" && name !== "form") made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/** Set a text only where it is another: the browser lays out nothing for the rest. */
function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Dress a widget's root. Keys typed in it are not the notebook's: JupyterLab asks the focused element alone. */
function begin(root, name) {
  root.classList.add("gnb", name);
  root.addEventListener("focusin", (event) => (event.target.dataset.lmSuppressShortcuts = true));
}

/** Connect a view to its kernel. `hear(kind, body)` gets what is for it; `ask` says whether anything was sent. */
function link(model, hear) {
  const view = Math.random().toString(36).slice(2);
  const ask = (type, data = {}) => {
    try {
      model.send({ type, view, ...data });
      return true;
    } catch {
      return false; // the kernel is gone; what is here stays
    }
  };
  const listen = (content, buffers) => {
    if (content.to && content.to !== view) return;
    hear(content.type, JSON.parse(new TextDecoder().decode(buffers[0])));
  };
  model.on("msg:custom", listen);
  const here = setInterval(() => ask("here"), 4000);
  ask("open");
  return {
    view,
    ask,
    close() {
      clearInterval(here);
      model.off("msg:custom", listen);
      ask("close");
    },
  };
}

/** Copy a text, also where the page is not served over https. */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.body.appendChild(el("textarea", { value: text }));
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

/** Parse JSON; whole numbers too large for JavaScript keep their digits. */
function parse(text) {
  return JSON.parse(text, (_, value, from) =>
    typeof value === "number" && !Number.isSafeInteger(value) && /^-?\d+$/.test(from?.source) ? BigInt(from.source) : value,
  );
}

/** Show JSON as a tree whose branches are filled when they are opened. `onpath` gets the `$.path` of a clicked key. */
function tree(value, onpath, path = "$", key = "", depth = 0) {
  const label = [];
  if (key !== "") {
    label.push(el("button", { type: "button", className: "gnb-key", title: `copy ${path}`, onclick: (event) => {
      event.preventDefault();
      onpath(path);
    } }, key), ": ");
  }
  if (value === null || typeof value !== "object") {
    const text = typeof value === "string" ? JSON.stringify(value) : String(value);
    return el("div", {}, ...label, el("code", { className: `gnb-${typeof value}` }, text));
  }
  const many = Array.isArray(value);
  const entries = Object.entries(value);
  const branch = el("details", {}, el("summary", {}, ...label, many ? `[${entries.length}]` : `{${entries.length}}`));
  const fill = (from) => {
    for (const [name, item] of entries.slice(from, from + 100)) {
      const plain = /^[A-Za-z_]\w*$/.test(name);
      const below = many ? `${path}[${name}]` : plain ? `${path}.${name}` : `${path}[${JSON.stringify(name)}]`;
      branch.append(tree(item, onpath, below, name, depth + 1));
    }
    if (entries.length > from + 100) {
      const more = el("button", { type: "button", onclick: () => (more.remove(), fill(from + 100)) }, `${entries.length - from - 100} more`);
      branch.append(more);
    }
  };
  const open = () => branch.open && branch.children.length === 1 && fill(0);
  branch.addEventListener("toggle", open);
  if (depth < 2) {
    branch.open = true;
    open();
  }
  return branch;
}
