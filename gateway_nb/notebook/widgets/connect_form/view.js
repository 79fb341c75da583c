const DOTS = { connected: "●", closed: "○", failed: "✕", paused: "‖", pairing: "…", connecting: "…", reconnecting: "↻", restarting: "↻" };

function render({ model, el: root }) {
  let checking = 0;
  let waiting = 0;
  let touched = false;

  const field = (text, input) => el("label", {}, el("span", {}, text), input);
  const input = (more) => el("input", { type: "text", spellcheck: false, autocomplete: "off", ...more });
  const check = () => {
    clearTimeout(checking);
    checking = setTimeout(() => line.ask("check", { url: url.value, pin: pin.value }), 250);
  };
  const choice = (...values) => el("select", {}, ...values.map(([value, text]) => el("option", { value }, text ?? value)));
  const url = input({ required: true, placeholder: "ws://127.0.0.1:18789", oninput: check });
  const name = input({ required: true });
  const auth = choice(["token"], ["password"], ["stored", "stored device token"], ["none"]);
  const secret = input({ type: "password" });
  const role = choice(["operator"], ["node"]);
  const scopes = input({ placeholder: "operator.admin" });
  const pin = input({ placeholder: "SHA-256 of the certificate", oninput: check });
  const connect = el("button", { type: "submit" }, "Connect");
  const disconnect = el("button", { type: "button", onclick: () => send("disconnect") }, "Disconnect");
  const refused = el("div", { className: "gnb-warning", role: "alert" });
  const dot = el("span", { className: "gnb-dot", "aria-hidden": "true" });
  const state = el("span");
  const spoken = el("span", { className: "gnb-spoken", role: "status" }); // without the seconds that count down
  const advice = el("div", { className: "gnb-note" });
  const warning = el("div", { className: "gnb-warning" });
  const card = el("section", { className: "gnb-card", "aria-label": "Approval of this device", hidden: true });
  const secretField = field("Secret", secret);

  /** Send something that is answered with a state, and say so where no answer comes. */
  function send(type, data) {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      advice.textContent = "The kernel does not answer: it is busy, or was started anew. Then run this cell again.";
    }, 4000);
    line.ask(type, data);
  }

  function submit(event) {
    event.preventDefault();
    send("connect", {
      url: url.value, name: name.value, auth: auth.value, role: role.value, scopes: scopes.value, pin: pin.value,
      secret: secret.value,
    });
    secret.value = "";
  }

  function showSecret() {
    secretField.hidden = !["token", "password"].includes(auth.value);
    secretField.firstChild.textContent = auth.value === "password" ? "Password" : "Token";
  }
  auth.addEventListener("change", showSecret);

  begin(root, "gnb-form");
  root.append(
    el("form", { autocomplete: "off", onsubmit: submit, oninput: () => (touched = true), "aria-label": "Connect to a gateway" },
      field("Gateway", url), refused, field("Sign in with", auth), secretField,
      el("details", {}, el("summary", {}, "More"), field("Name", name), field("Role", role), field("Scopes", scopes), field("TLS pin", pin)),
      el("div", { className: "gnb-bar" }, connect, disconnect)),
    el("div", { className: "gnb-state" }, dot, state, advice, warning, spoken),
    card,
  );

  function pairing(told) {
    card.hidden = !told;
    if (!told || card.dataset.request === told.request) return;
    card.dataset.request = told.request;
    const copied = el("span", { role: "status" });
    const row = (term, ...value) => [el("dt", {}, term), el("dd", {}, ...value)];
    card.replaceChildren(
      el("strong", {}, "The gateway's owner has to approve this device"),
      el("dl", {},
        ...row("Why", told.reason), ...(told.requested ? row("Asked for", told.requested) : []),
        ...(told.request ? row("Request", el("code", {}, told.request)) : []),
        ...row("On the gateway's host run", el("code", {}, told.command), " ",
          el("button", { type: "button", onclick: () => copy(told.command).then(() => put(copied, " copied")) }, "Copy command"), copied)),
      "Nothing more to do here: it goes on by itself once that is done.");
  }

  const said = {
    form(told) {
      // What the user has typed already stays.
      if (!touched) {
        [url.value, name.value, auth.value, role.value, scopes.value, pin.value] =
          [told.url, told.name, told.auth, told.role, told.scopes, told.pin];
      }
      showSecret();
      check();
    },
    state(told) {
      clearTimeout(waiting);
      root.dataset.state = told.state;
      put(dot, DOTS[told.state] ?? "○");
      put(state, told.text);
      put(advice, told.advice);
      put(warning, told.warning);
      put(spoken, `${told.state === "failed" ? told.text : told.state}. ${told.advice} ${told.warning}`);
      const on = told.busy || !["closed", "failed"].includes(told.state);
      connect.disabled = told.busy || told.state === "connected";
      disconnect.disabled = !on;
      pairing(told.pairing);
    },
    refused: (text) => put(refused, text),
    problem: (text) => put(advice, text),
  };
  const line = link(model, (kind, told) => said[kind]?.(told));
  showSecret();

  return () => {
    clearTimeout(checking);
    clearTimeout(waiting);
    secret.value = "";
    line.close();
  };
}

export default { render };
