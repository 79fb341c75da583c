import { button, copy, el, put } from "../dom.js";
import { connect } from "../link.js";

const DOTS = { connected: "●", closed: "○", failed: "✕", paused: "‖", pairing: "…", connecting: "…", reconnecting: "↻", restarting: "↻" };
const CHECK_MS = 250;
const PATIENCE_MS = 4000;
const BUSY = "The kernel does not answer: it is busy, or was restarted. Then run this cell again.";
const OPTIONS = ["url", "name", "auth", "role", "scopes", "pin"];

const field = (text, input) => el("label", {}, el("span", {}, text), input);
const input = (more = {}) => el("input", { type: "text", spellcheck: false, autocomplete: "off", ...more });
const choice = (...values) => el("select", {}, ...values.map(([value, text]) => el("option", { value }, text ?? value)));

/** Return the fields of the form, by the option that each holds. */
function build() {
  return {
    url: input({ required: true, placeholder: "ws://127.0.0.1:18789" }),
    name: input({ required: true }),
    auth: choice(["token"], ["password"], ["stored", "stored device token"], ["none"]),
    secret: input({ type: "password" }),
    role: choice(["operator"], ["node"]),
    scopes: input({ placeholder: "operator.admin" }),
    pin: input({ placeholder: "SHA-256 of the certificate" }),
  };
}

/** Return a code with a button that copies it. */
function copyable(code, title) {
  const copied = el("span", { role: "status" });
  return [el("code", {}, code), " ", button(title, () => copy(code).then(() => put(copied, " copied"))), copied];
}

/** Return what the gateway's owner has to do. */
function pairingCard({ title, rows }) {
  const command = rows.at(-1);
  const value = (row) => (row === command ? copyable(row[1], "Copy command") : [row[1]]);
  return [
    el("strong", {}, title),
    el("dl", {}, ...rows.flatMap((row) => [el("dt", {}, row[0]), el("dd", {}, ...value(row))])),
    "Nothing more to do here: the connection is made as soon as that is done.",
  ];
}

function render({ model, el: root }) {
  let checking = 0;
  let waiting = 0;
  let touched = false;

  const fields = build();
  const { url, auth, secret, pin } = fields;
  const connecting = el("button", { type: "submit" }, "Connect");
  const disconnect = button("Disconnect", () => send("disconnect"));
  const refused = el("div", { className: "gnb-warning", role: "alert" });
  const mend = button("", () => {
    url.value = mend.value;
    check();
  }, { hidden: true });
  const dot = el("span", { className: "gnb-dot", "aria-hidden": "true" });
  const state = el("span");
  const spoken = el("span", { className: "gnb-spoken", role: "status" }); // without the seconds that count down
  const advice = el("div", { className: "gnb-note" });
  const usage = el("div", { className: "gnb-usage", hidden: true });
  const warning = el("div", { className: "gnb-warning" });
  const card = el("section", { className: "gnb-card", "aria-label": "Approval of this device", hidden: true });
  const secretField = field("Secret", secret);
  root.append(
    el("form", { autocomplete: "off", onsubmit: submit, oninput: () => (touched = true), "aria-label": "Connect to a gateway" },
      field("Gateway", url), refused, mend, field("Sign in with", auth), secretField,
      el("details", {}, el("summary", {}, "More"), field("Name", fields.name), field("Role", fields.role),
        field("Scopes", fields.scopes), field("TLS pin", pin)),
      el("div", { className: "gnb-bar" }, connecting, disconnect)),
    el("div", { className: "gnb-state" }, dot, state, advice, usage, warning, spoken),
    card,
  );

  /** Send something that is answered with a state, and say so where no answer comes. */
  function send(type, data) {
    clearTimeout(waiting);
    waiting = setTimeout(() => put(advice, BUSY), PATIENCE_MS);
    line.ask(type, data);
  }

  function submit(event) {
    event.preventDefault();
    const options = OPTIONS.map((name) => [name, fields[name].value]);
    send("connect", { ...Object.fromEntries(options), secret: secret.value });
    secret.value = "";
  }

  function check() {
    clearTimeout(checking);
    checking = setTimeout(() => line.ask("check", { url: url.value, pin: pin.value }), CHECK_MS);
  }
  for (const checked of [url, pin]) checked.addEventListener("input", check);

  function showSecret() {
    secretField.hidden = !["token", "password"].includes(auth.value);
    secretField.firstChild.textContent = auth.value === "password" ? "Password" : "Token";
  }
  auth.addEventListener("change", showSecret);

  const line = connect(model, root, "gnb-form", {
    form(options) {
      // What the user has typed already stays.
      if (!touched) for (const name of OPTIONS) fields[name].value = options[name];
      showSecret();
      check();
    },
    state(body) {
      clearTimeout(waiting);
      root.dataset.state = body.state;
      put(dot, DOTS[body.state] ?? "○");
      put(state, body.text);
      put(advice, body.advice);
      put(warning, body.warning);
      put(spoken, `${body.state === "failed" ? body.text : body.state}. ${body.advice} ${body.warning}`);
      connecting.disabled = body.busy || body.state === "connected";
      disconnect.disabled = !body.busy && ["closed", "failed"].includes(body.state);
      usage.hidden = !body.code;
      if (body.code && usage.dataset.code !== body.code) {
        usage.dataset.code = body.code;
        usage.replaceChildren("In a cell: ", ...copyable(body.code, "Copy line"));
      }
      card.hidden = !body.pairing;
      const rows = JSON.stringify(body.pairing?.rows);
      if (body.pairing && card.dataset.rows !== rows) {
        card.dataset.rows = rows;
        card.replaceChildren(...pairingCard(body.pairing));
      }
    },
    checked({ problem, mended }) {
      put(refused, problem);
      mend.hidden = !mended;
      mend.value = mended;
      put(mend, `Use ${mended}`);
    },
    problem: (text) => put(advice, text),
  });
  showSecret();

  return () => {
    clearTimeout(checking);
    clearTimeout(waiting);
    secret.value = "";
    line.close();
  };
}

export default { render };
