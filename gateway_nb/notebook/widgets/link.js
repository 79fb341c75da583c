import { el } from "./dom.js";

const HERE_MS = 4000;

/** Return a style that hides the picture of a widget, an output of its own, and the place where it stands. */
const hiding = (id) =>
  el("style", {}, `#${id}, .jp-OutputArea-child:has(#${id}):not(:has(.jp-OutputArea-child #${id})) { display: none; }`);

/**
 * Connect a view to its kernel. Until the kernel answers it is hidden, and the picture of it is seen.
 *
 * `receivers` has a function for each kind of message, called with its body. `ask` returns whether anything was sent.
 */
export function connect(model, root, name, receivers) {
  const view = Math.random().toString(36).slice(2);
  const ask = (type, data = {}) => {
    try {
      model.send({ type, view, ...data });
      return true;
    } catch {
      return false; // the kernel is gone; what is here stays
    }
  };
  let style = null;
  const receive = (content, buffers) => {
    if (content.to && content.to !== view) return;
    const body = JSON.parse(new TextDecoder().decode(buffers[0]));
    if (content.type !== "live") return receivers[content.type]?.(body);
    root.hidden = false;
    style ??= document.head.appendChild(hiding(body));
  };
  root.classList.add("gnb", name);
  root.hidden = true;
  // Keys typed here are not the notebook's: JupyterLab asks the focused element alone.
  root.addEventListener("focusin", (event) => (event.target.dataset.lmSuppressShortcuts = true));
  model.on("msg:custom", receive);
  const here = setInterval(() => ask("here"), HERE_MS);
  ask("open");
  return {
    view,
    ask,
    close() {
      clearInterval(here);
      model.off("msg:custom", receive);
      style?.remove();
      ask("close");
    },
  };
}
