import { connect } from "../link.js";
import { Drawing } from "./drawing.js";
import { listen } from "./input.js";
import { TableState } from "./state.js";

const PATIENCE_MS = 2000;
const BUSY = "The kernel is busy: rows that are not in the browser come when it is free.";
const MARGIN = 50; // rows asked for beside those in sight

function render({ model, el: root }) {
  const state = new TableState();
  let asked = null; // when rows were asked for, and whether they are late

  function askFor(start, count) {
    if (state.local || (asked && !asked.late && Date.now() - asked.when < PATIENCE_MS)) return;
    asked = { when: Date.now(), late: asked?.late };
    line.ask("window", { v: state.counts.v, start: Math.max(start - MARGIN, 0), count: count + 2 * MARGIN });
  }

  const drawing = new Drawing(root, state, askFor);
  const line = connect(model, root, "gnb-table", {
    snapshot(body) {
      state.snapshot(body);
      drawing.ui.view.setAttribute("aria-label", `Events of ${body.title}`);
      drawing.drawRates();
      drawing.drawAll();
    },
    push(body) {
      state.push(body);
      drawing.drawChips();
      drawing.draw();
    },
    query(body) {
      state.answer(body);
      asked = null;
      drawing.drawAll();
    },
    rows(body) {
      asked = null;
      if (drawing.ui.note.textContent === BUSY) drawing.note("");
      state.window(body);
      drawing.draw();
    },
    columns(paths) {
      state.expand(paths);
      drawing.drawHead();
      drawing.draw();
    },
    selected(ids) {
      state.selected = new Set(ids);
      drawing.draw();
    },
    paths: (paths) => drawing.drawPaths(paths),
    row: (row) => drawing.inspect(row),
    note: (text) => drawing.note(text),
    problem(text) {
      drawing.note(text);
      state.refuse();
      drawing.draw();
    },
  });
  const stopListening = listen(drawing, state, line.ask);
  const everySecond = setInterval(() => {
    state.nextSecond();
    drawing.drawRates();
    if (drawing.hidden) drawing.measure();
    if (asked && Date.now() - asked.when > PATIENCE_MS) {
      drawing.note(BUSY);
      asked = { ...asked, late: true };
    }
  }, 1000);

  return () => {
    clearInterval(everySecond);
    stopListening();
    drawing.close();
    line.close();
  };
}

export default { render };
