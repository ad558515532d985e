// One view at a time, and the words in it.
import { WORDS } from "./words.js";

export const byId = (id) => document.getElementById(id);

export const currentView = () => document.querySelector("[data-view]:not([hidden])")?.dataset.view;

/** Shows one view; the named element, or its heading, is where the keyboard goes on. */
export function show(name, focusId) {
  for (const view of document.querySelectorAll("[data-view]")) {
    view.hidden = view.dataset.view !== name;
  }
  const heading = document.querySelector(`[data-view="${name}"] h1`);
  document.title = `${heading.textContent} – ${WORDS.title}`;
  (byId(focusId) ?? heading).focus();
  window.scrollTo(0, 0);
}

/** Fills each `data-word` with its text. */
export function write() {
  document.documentElement.lang = WORDS.lang;
  for (const element of document.querySelectorAll("[data-word]")) {
    element.textContent = element.dataset.word.split(".").reduce((part, key) => part[key], WORDS);
  }
  byId("nav").setAttribute("aria-label", WORDS.nav.label);
  byId("picture").setAttribute("aria-label", WORDS.capture.picture);
}
