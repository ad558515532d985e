// What came out: in words and a shape, never by colour alone.
import { byId, currentView, show } from "./view.js";
import { WORDS } from "./words.js";

const NO_MORE = new Set(["match", "enrolled", "known", "forbidden"]);
let ticking = null;

/** Shows one of WORDS.outcomes; `document` is the service's result where there is one. */
export function showResult(outcome, { subject, hint, retry_after_s: wait_s } = {}) {
  const { title, text, shape, tone } = WORDS.outcomes[outcome] ?? WORDS.outcomes.error;
  const view = document.querySelector('[data-view="result"]');
  view.dataset.outcome = outcome;
  byId("result-title").textContent = title;
  byId("result-title").dataset.tone = tone;
  byId("result-text").textContent = text(subject);
  byId("result-shape").dataset.tone = tone;
  byId("result-shape").firstElementChild.setAttribute("href", `#shape-${shape}`);
  byId("result-hint").textContent = hint ? (WORDS.hints[hint] ?? "") : "";
  byId("result-hint").hidden = !hint;
  byId("result-over").textContent = "";
  byId("again").hidden = NO_MORE.has(outcome);
  show("result");
  countDown(wait_s ?? 0);
}

function countDown(wait_s) {
  clearInterval(ticking);
  const end_ms = performance.now() + wait_s * 1000;
  const tick = () => {
    const left_s = Math.ceil((end_ms - performance.now()) / 1000);
    if (currentView() !== "result") clearInterval(ticking);
    else if (left_s > 0) byId("result-wait").textContent = WORDS.result.wait(clock(left_s));
    else {
      clearInterval(ticking);
      byId("result-wait").hidden = true;
      byId("again").disabled = false;
      byId("result-over").textContent = wait_s ? WORDS.result.over : "";
    }
  };
  byId("result-wait").hidden = false;
  byId("again").disabled = true;
  ticking = setInterval(tick, 250);
  tick();
}

/** 75 → "1:15" */
function clock(whole_s) {
  const minutes = Math.floor(whole_s / 60);
  return `${minutes}:${String(whole_s % 60).padStart(2, "0")}`;
}
