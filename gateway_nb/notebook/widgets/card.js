import { button, el, put } from "./dom.js";

const ARMED_MS = 400;

/** Return the elements of a text in runs: what is unusual about a run is marked, with its names. */
export const runs = (pieces) =>
  pieces.map(([text, unusual]) => (unusual ? el("mark", { title: unusual, "aria-label": `${text}, ${unusual}` }, text) : text));

/**
 * Return a card: what somebody is asked to allow, and buttons that answer.
 *
 * `about` says who asks; `parts` are labels with their text in runs. The buttons of `actions` ({label, name, key, careful}) call `answer(name)`;
 * those that are careful can be pressed only once all of the text was in view, and not in the moment in which it appears:
 * nobody should allow what they did not see, nor with a click that was meant for something else.
 */
export function card({ about = "", parts, actions, answer }) {
  let seen = false;
  let armed = false;
  let open = true;
  const unusual = parts.flatMap(([, pieces]) => pieces.map(([, names]) => names).filter(Boolean));
  const text = el("dl", { className: "gnb-whole", tabIndex: 0, role: "region", "aria-label": "What is asked", onscroll: look });
  for (const [label, pieces] of parts) text.append(el("dt", {}, label), el("dd", {}, el("pre", {}, ...runs(pieces))));
  const hint = el("span", { className: "gnb-note", role: "status" });
  const buttons = actions.map(({ label, name, key, careful }) => {
    const shortcut = key ? { "aria-keyshortcuts": key, title: `key ${key}` } : {};
    const element = button(label, () => answer(name), { disabled: careful, ...shortcut });
    return Object.assign(element, { careful, key });
  });
  const warning = el("div", { className: "gnb-warning" });
  if (unusual.length) put(warning, `not plain ASCII: ${unusual.slice(0, 5).join("; ")}${unusual.length > 5 ? "; …" : ""}`);
  const element = el("div", { className: "gnb-decision" }, text, el("div", { className: "gnb-note" }, about), warning, el("div", { className: "gnb-bar" }, ...buttons, hint));

  function look() {
    seen ||= text.clientHeight > 0 && text.scrollTop + text.clientHeight >= text.scrollHeight - 4;
    update();
  }

  function update() {
    for (const each of buttons) each.disabled = !open || (each.careful && !(seen && armed));
    if (open) put(hint, seen || !actions.some(({ careful }) => careful) ? "" : "scroll to the end of it first");
  }

  const watcher = new ResizeObserver(look);
  watcher.observe(text);
  const timer = setTimeout(() => ((armed = true), update()), ARMED_MS);
  return {
    element,
    /** Take no more answers, and say why; or take them again. */
    close(why) {
      open = why === null;
      put(hint, why ?? "");
      update();
    },
    /** Press the button of a key; return whether there is one. */
    press(key) {
      const found = buttons.find((each) => each.key === key);
      found?.click(); // a disabled one does nothing
      return Boolean(found);
    },
    end() {
      watcher.disconnect();
      clearTimeout(timer);
    },
  };
}
