import { button, el, put } from "../dom.js";
import { connect } from "../link.js";

const SIZE = 11;
const SQUARE = 9;
const STATES = { o: "good", f: "bad", a: "warn", r: "brand", w: "line" };

function render({ model, el: root }) {
  let state = null;
  const heading = el("strong", { role: "status" });
  const stops = [
    button("Pause: wait for runs", () => line.ask("stop", { how: "wait" })),
    button("Pause: abort runs", () => line.ask("stop", { how: "abort" })),
  ];
  const canvas = el("canvas", { role: "img", tabIndex: 0, onclick: choose, onkeydown: move });
  const legend = el("div", { className: "gnb-note" });
  const about = el("div", { className: "gnb-cell", role: "status" }, el("strong"), el("pre"));
  about.hidden = true;
  const table = el("table");
  root.append(el("div", { className: "gnb-bar" }, heading, el("span", { className: "gnb-push" }), ...stops),
    canvas, legend, about, el("div", { className: "gnb-scroll" }, table));
  let chosen = null;

  const columns = () => Math.max(Math.floor(root.clientWidth / SIZE), 1);

  function draw() {
    if (!state || !root.clientWidth) return;
    const across = columns();
    const down = Math.ceil(state.squares.length / across);
    const scale = window.devicePixelRatio || 1;
    canvas.width = across * SIZE * scale;
    canvas.height = down * SIZE * scale;
    canvas.style.width = `${across * SIZE}px`;
    canvas.style.height = `${down * SIZE}px`;
    const paint = canvas.getContext("2d");
    const style = getComputedStyle(root);
    paint.scale(scale, scale);
    for (const [letter, name] of Object.entries(STATES)) {
      paint.fillStyle = style.getPropertyValue(`--gnb-${name}`).trim();
      for (let i = state.squares.indexOf(letter); i >= 0; i = state.squares.indexOf(letter, i + 1))
        paint.fillRect((i % across) * SIZE, Math.floor(i / across) * SIZE, SQUARE, SQUARE);
    }
    if (chosen !== null) {
      paint.strokeStyle = style.getPropertyValue("--gnb-ink").trim();
      paint.lineWidth = 2;
      paint.strokeRect((chosen % across) * SIZE - 1, Math.floor(chosen / across) * SIZE - 1, SQUARE + 2, SQUARE + 2);
    }
  }

  function show(square) {
    if (!state || square < 0 || square >= state.squares.length) return;
    chosen = square;
    draw();
    line.ask("cell", { square });
  }

  function choose({ offsetX, offsetY }) {
    show(Math.floor(offsetY / SIZE) * columns() + Math.floor(offsetX / SIZE));
  }

  function move(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns(), ArrowDown: columns() }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    show(chosen === null ? 0 : chosen + step);
  }

  const line = connect(model, root, "gnb-experiment", {
    state(news) {
      state = news;
      put(heading, state.summary);
      canvas.setAttribute("aria-label", `Cells: ${state.summary}`);
      for (const stop of stops) stop.disabled = !state.running;
      put(legend, `${state.together > 1 ? `A square is ${state.together} cells. ` : ""}Green ended well, red failed, ` +
        "blue runs, orange is run again, grey waits. A click tells more.");
      const [names, ...rows] = state.rows;
      table.replaceChildren(el("thead", {}, el("tr", {}, ...names.map((name) => el("th", { scope: "col" }, name)))),
        el("tbody", {}, ...rows.map((row) => el("tr", {}, ...row.map((text) => el("td", {}, text))))));
      draw();
    },
    cell([title, text]) {
      about.hidden = false;
      put(about.firstChild, title);
      put(about.lastChild, text);
    },
  });
  const sizes = new ResizeObserver(draw);
  sizes.observe(root);
  return () => {
    sizes.disconnect();
    line.close();
  };
}

export default { render };
