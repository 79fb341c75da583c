// Elements of a page. What comes from a gateway is hostile text: it only ever becomes text nodes, never markup.

/** Return an element: properties and attributes, `on...` listeners, children (strings become text nodes). */
export function el(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && name !== "list" && name !== "form") element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

export const button = (text, onclick, props = {}) => el("button", { type: "button", onclick, ...props }, text);

/** Set a text only where it differs: the browser lays out nothing for the rest. */
export function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Keep one element per item, in the items' order, made by `make` and brought up to date by `update`. */
export function keep(parent, items, make, update = () => {}) {
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

/** Copy a text to the clipboard, also where the page is not served over https. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.body.appendChild(el("textarea", { value: text }));
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}
