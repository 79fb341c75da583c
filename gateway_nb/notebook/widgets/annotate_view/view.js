import { button, el, keep, put } from "../dom.js";
import { connect } from "../link.js";

function render({ model, el: root }) {
  let pages = []; // the answers of each, by number
  let marks = {};
  let highest = 0;
  let shown = null; // the number of a page

  const place = el("strong", { role: "status" });
  const earlier = button("Previous", () => show(shown - 1), { title: "key p", "aria-keyshortcuts": "p" });
  const later = button("Next", () => show(shown + 1), { title: "key n", "aria-keyshortcuts": "n" });
  const unmarked = button("Next unmarked", () => show(nextUnmarked()), { title: "key u", "aria-keyshortcuts": "u" });
  const problem = el("div", { className: "gnb-warning", role: "alert" });
  const around = el("div", { className: "gnb-case", tabIndex: 0, role: "region", "aria-label": "The case" });
  const answers = el("div", { className: "gnb-answers" });
  const hint = el("div", { className: "gnb-note" });
  root.append(el("div", { className: "gnb-bar" }, place, earlier, later, unmarked), problem, around, answers, hint);

  root.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const move = { p: earlier, n: later, u: unmarked }[event.key];
    const card = event.target.closest(".gnb-answer");
    const mark = Number(event.key);
    if (move) move.click(); // a disabled one does nothing
    else if (card && mark >= 1 && mark <= highest) ask(Number(card.dataset.id), mark);
    else if (card && (event.key === "Backspace" || event.key === "Delete")) ask(Number(card.dataset.id), null);
    else return;
    event.preventDefault();
  });

  const left = (cells) => cells.some((cell) => marks[cell] === undefined);

  function nextUnmarked() {
    const order = pages.map((_, i) => (shown + 1 + i) % pages.length);
    return order.find((number) => left(pages[number])) ?? shown;
  }

  function show(number) {
    put(problem, "");
    line.ask("show", { page: number });
  }

  function ask(cell, mark) {
    put(problem, "");
    if (!line.ask("mark", { cell, mark })) put(problem, "not kept: the kernel is gone");
  }

  const letter = (i) => (i < 26 ? String.fromCharCode(65 + i) : `${i + 1}`);

  function card({ id, text, i }) {
    const buttons = Array.from({ length: highest }, (_, n) =>
      button(`${n + 1}`, () => ask(id, marks[id] === n + 1 ? null : n + 1), { "aria-label": `Mark ${n + 1}` }));
    const name = `Answer ${letter(i)}`;
    return el("div", { className: "gnb-answer", tabIndex: 0, role: "group", "aria-label": name },
      el("strong", {}, name), el("pre", {}, text), el("div", { className: "gnb-bar" }, ...buttons));
  }

  function draw() {
    const all = pages.flat();
    const done = all.filter((cell) => marks[cell] !== undefined).length;
    put(place, `Case ${shown === null ? "…" : shown + 1} of ${pages.length} · ${done} of ${all.length} answers marked`);
    put(hint, `1 is the worst, ${highest} the best; the same again takes a mark back. On an answer, the keys 1 to ${highest} mark it.`);
    earlier.disabled = !(shown > 0);
    later.disabled = shown === null || shown >= pages.length - 1;
    unmarked.disabled = shown === null || nextUnmarked() === shown;
    for (const element of answers.children)
      element.querySelectorAll("button").forEach((each, n) => each.setAttribute("aria-pressed", marks[element.dataset.id] === n + 1));
  }

  const line = connect(model, root, "gnb-annotate", {
    state(body) {
      ({ pages, marks, highest } = body);
      draw();
    },
    page(body) {
      shown = body.number;
      around.replaceChildren(...body.case.flatMap(([name, text]) => [el("div", { className: "gnb-note" }, name), el("pre", {}, text)]));
      const inside = answers.contains(document.activeElement);
      keep(answers, body.answers.map((answer, i) => ({ ...answer, i })), card);
      if (inside) answers.firstElementChild.focus(); // what had it is gone
      draw();
    },
    problem(text) {
      put(problem, text);
    },
  });
  return () => line.close();
}

export default { render };
