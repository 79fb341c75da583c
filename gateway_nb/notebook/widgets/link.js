const HERE_MS = 4000;

/**
 * Connect a view to its kernel; it stays hidden until the kernel answers.
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
  const receive = (content, buffers) => {
    if (content.to && content.to !== view) return;
    root.hidden = false;
    receivers[content.type]?.(JSON.parse(new TextDecoder().decode(buffers[0])));
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
      ask("close");
    },
  };
}
