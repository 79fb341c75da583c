import { button, el } from "./dom.js";

const AT_ONCE = 100; // branches

/** Parse JSON; whole numbers too large for JavaScript keep their digits. */
export function parse(text) {
  return JSON.parse(text, (_, value, from) =>
    typeof value === "number" && !Number.isSafeInteger(value) && /^-?\d+$/.test(from?.source) ? BigInt(from.source) : value,
  );
}

/** Return the path of a key below a path, as the kernel reads it. */
export function pathTo(path, key, inList) {
  if (inList) return `${path}[${key}]`;
  return /^[A-Za-z_]\w*$/.test(key) ? `${path}.${key}` : `${path}[${JSON.stringify(key)}]`;
}

/** Return JSON as a tree whose branches are filled when they are opened. `onpath` gets the `$.path` of a clicked key. */
export function tree(value, onpath, path = "$", key = "", depth = 0) {
  const label = [];
  if (key !== "") {
    const choose = (event) => {
      event.preventDefault();
      onpath(path);
    };
    label.push(button(key, choose, { className: "gnb-key", title: `copy ${path}` }), ": ");
  }
  if (value === null || typeof value !== "object") {
    const text = typeof value === "string" ? JSON.stringify(value) : String(value);
    return el("div", {}, ...label, el("code", { className: `gnb-${typeof value}` }, text));
  }
  const inList = Array.isArray(value);
  const entries = Object.entries(value);
  const branch = el("details", {}, el("summary", {}, ...label, inList ? `[${entries.length}]` : `{${entries.length}}`));
  const fill = (from) => {
    for (const [name, item] of entries.slice(from, from + AT_ONCE)) {
      branch.append(tree(item, onpath, pathTo(path, name, inList), name, depth + 1));
    }
    const left = entries.length - from - AT_ONCE;
    if (left > 0) {
      const more = button(`${left} more`, () => (more.remove(), fill(from + AT_ONCE)));
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
