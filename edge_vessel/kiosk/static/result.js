// What came out: in words and a shape, never by colour alone.
import { byId, currentView, show } from "./view.js";
import { WORDS } from "./words.js";

const STAYS_S = 30; // whoever comes next need not read whose eye was here
// By outcome: a symbol of the page, and a tone of the style sheet.
const LOOKS = {
  match: ["tick", "good"],
  no_match: ["cross", "bad"],
  enrolled: ["tick", "good"],
  retry: ["again", "warn"],
  locked: ["lock", "warn"],
  camera_lost: ["camera", "bad"],
  timeout: ["again", "warn"],
  cancelled: ["again", "warn"],
  error: ["alert", "bad"],
  known: ["alert", "warn"],
  busy: ["alert", "warn"],
  unreachable: ["alert", "bad"],
  forbidden: ["lock", "warn"],
};
const NO_MORE = new Set(["match", "enrolled", "known", "forbidden"]);
let ticking = null;

/** Shows an outcome, with what the service's result says, until `leave()` some time later. */
export function showResult(leave, outcome, said = {}) {
  const { subject, hint, suspicion, retry_after_s: wait_s } = said;
  const [shape, tone] = LOOKS[outcome];
  const { title, text } = WORDS.outcomes[outcome];
  const view = document.querySelector('[data-view="result"]');
  view.dataset.outcome = outcome;
  byId("result-title").textContent = title;
  byId("result-title").dataset.tone = tone;
  byId("result-text").textContent = text(subject);
  byId("result-shape").dataset.tone = tone;
  byId("result-shape").firstElementChild.setAttribute("href", `#shape-${shape}`);
  byId("result-hint").textContent = WORDS.suspicions[suspicion] ?? WORDS.hints[hint] ?? "";
  byId("result-over").textContent = "";
  byId("again").hidden = NO_MORE.has(outcome);
  show("result");
  countDown(wait_s ?? 0, leave);
}

function countDown(wait_s, leave) {
  clearInterval(ticking);
  const end_ms = performance.now() + wait_s * 1000;
  const tick = () => {
    const left_s = Math.ceil((end_ms - performance.now()) / 1000);
    if (currentView() !== "result") clearInterval(ticking);
    else if (left_s > 0) byId("result-wait").textContent = WORDS.result.wait(clock(left_s));
    else if (left_s <= -STAYS_S) leave();
    else if (byId("again").disabled) {
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
