// What the person does, and what is shown for it.
import { Captures } from "./capture.js";
import { listen } from "./listening.js";
import { showResult } from "./result.js";
import { NO_TOKEN, Refused, Service } from "./service.js";
import { showSubjects } from "./subjects.js";
import { byId, currentView, show, write } from "./view.js";
import { WORDS } from "./words.js";

const TOKEN = "edge-vessel-token";
const REFUSALS = { 403: "forbidden", 409: "known", 429: "busy" };

const goHome = () => go("verify");

let service = null;
let captures = null;
let session = null; // an AbortController: ends with the token
let repeat = null; // what "Try again" does

write();
prepareKeys();
byId("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  signIn(byId("token").value);
});
byId("leave").addEventListener("click", () => signOut(""));
byId("ask-form").addEventListener("submit", (event) => {
  event.preventDefault();
  start();
});
byId("cancel").addEventListener("click", () => captures.cancel());
byId("again").addEventListener("click", () => repeat());
byId("done").addEventListener("click", goHome);
for (const button of document.querySelectorAll("[data-go]")) {
  button.addEventListener("click", () => go(button.dataset.go));
}
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || byId("confirm").open || !service) return;
  if (currentView() === "capture") captures.cancel();
  else goHome();
});
const fromAddress = new URLSearchParams(location.hash.slice(1)).get("token");
if (fromAddress) history.replaceState(null, "", location.pathname);
const known = fromAddress ?? sessionStorage.getItem(TOKEN);
if (known) signIn(known);
else askForToken("");

async function signIn(token) {
  const candidate = new Service(token);
  let status;
  try {
    status = await candidate.status();
  } catch (error) {
    if (error.status === NO_TOKEN) signOut(WORDS.token.refused);
    else askForToken(WORDS.outcomes.unreachable.text());
    return;
  }
  sessionStorage.setItem(TOKEN, token);
  service = candidate;
  session = new AbortController();
  captures = new Captures(service, finished, goHome);
  byId("token").value = "";
  byId("demonstration").hidden = !status.demonstration;
  for (const one of document.querySelectorAll("[data-operator]")) {
    one.hidden = status.role !== "operator";
  }
  goHome();
  const heard = (event) => captures.heard(event);
  const denied = () => signOut(WORDS.token.refused);
  listen(service, session.signal, { heard, reachable, denied });
}

function signOut(fault) {
  sessionStorage.removeItem(TOKEN);
  session?.abort();
  captures?.cancel();
  service = null;
  reachable(true);
  askForToken(fault);
}

function askForToken(fault) {
  showNavigation(false);
  byId("token-fault").textContent = fault;
  show("token", "token");
}

function reachable(yes) {
  byId("offline").hidden = yes;
  byId("offline").textContent = yes ? "" : WORDS.unreachable;
}

/** Not while a capture runs, nor without a token. */
function showNavigation(yes) {
  byId("nav").hidden = !yes;
  byId("leave").hidden = !yes;
}

function go(where) {
  if (!service) return; // signed out meanwhile
  showNavigation(true);
  for (const button of document.querySelectorAll("[data-go]")) {
    if (button.dataset.go === where) button.setAttribute("aria-current", "page");
    else button.removeAttribute("aria-current");
  }
  if (where !== "subjects") ask(where);
  else {
    repeat = () => go(where);
    showSubjects(service, failed);
  }
}

function ask(operation) {
  const form = byId("ask-form");
  const anybody = operation === "identify";
  form.reset();
  form.dataset.operation = operation;
  byId("ask-title").textContent = WORDS.operations[operation].title;
  byId("ask-text").textContent = WORDS.operations[operation].text;
  byId("start").textContent = WORDS.operations[operation].start;
  byId("ask-subject").hidden = anybody;
  byId("subject").disabled = anybody;
  byId("keys").hidden = anybody;
  byId("ask-eye").toggleAttribute("hidden", !anybody);
  byId("ask-captures").hidden = operation !== "enrol";
  show("ask", anybody ? "start" : "subject");
}

function start() {
  const form = byId("ask-form");
  const { operation } = form.dataset;
  const fields = operation === "identify" ? {} : { subject: byId("subject").value };
  if (operation === "enrol") fields.captures = Number(form.elements.captures.value);
  repeat = () => {
    showNavigation(false);
    captures.begin(operation, fields);
  };
  repeat();
}

/** Of a capture: its result document, or what was thrown instead. */
function finished(outcome, suspicion) {
  showNavigation(true);
  if (outcome instanceof Error) failed(outcome, byId("subject").value);
  else showResult(goHome, outcome.status, { ...outcome, suspicion });
}

function failed(error, subject) {
  if (!service) return;
  if (!(error instanceof Refused)) showResult(goHome, "unreachable");
  else if (error.status === NO_TOKEN) signOut(WORDS.token.refused);
  else {
    const refusal = REFUSALS[error.status] ?? "error";
    showResult(goHome, refusal, { subject, retry_after_s: error.retryAfter_s });
  }
}

/** For fingers. A keyboard types into the field itself and need not step through forty keys. */
function prepareKeys() {
  byId("keys").setAttribute("aria-label", WORDS.ask.keys);
  for (const letter of "1234567890qwertyuiopasdfghjkl-zxcvbnm._") {
    addKey(letter, letter, (field) => [letter, field.selectionStart]);
  }
  addKey("⌫", WORDS.ask.erase, ({ selectionStart, selectionEnd }) => [
    "",
    selectionStart === selectionEnd ? Math.max(0, selectionStart - 1) : selectionStart,
  ]);
}

/** `change(field)` gives the text to insert, and from where on it takes the selection's place. */
function addKey(text, label, change) {
  const field = byId("subject");
  const key = document.createElement("button");
  Object.assign(key, { type: "button", textContent: text, tabIndex: -1 });
  key.setAttribute("aria-label", label);
  key.addEventListener("pointerdown", (event) => event.preventDefault()); // the field keeps focus
  key.addEventListener("click", () => {
    const [inserted, from] = change(field);
    field.setRangeText(inserted, from, field.selectionEnd, "end");
  });
  byId("keys").append(key);
}
