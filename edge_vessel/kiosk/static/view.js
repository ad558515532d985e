// One view at a time, and the words in it.

export const byId = (id) => document.getElementById(id);

export const currentView = () => document.querySelector("[data-view]:not([hidden])")?.dataset.view;

/** Shows one view; the named element, or its heading, is where the keyboard goes on. */
export function show(name, focusId) {
  for (const view of document.querySelectorAll("[data-view]")) view.hidden = view.dataset.view !== name;
  const view = document.querySelector(`[data-view="${name}"]`);
  (byId(focusId) ?? view.querySelector("h1")).focus();
  window.scrollTo(0, 0);
}

/** Fills each `data-word` with its text. */
export function write(root, words) {
  document.documentElement.lang = words.lang;
  document.title = words.title;
  for (const element of root.querySelectorAll("[data-word]")) {
    element.textContent = element.dataset.word.split(".").reduce((part, key) => part[key], words);
  }
  byId("nav").setAttribute("aria-label", words.nav.label);
  byId("picture").setAttribute("aria-label", words.capture.picture);
}
