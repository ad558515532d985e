// A capture: from the button to its result.
import { follow } from "./preview.js";
import { freshNonce, requestOf } from "./service.js";
import { byId, show } from "./view.js";
import { WORDS } from "./words.js";

const LATEST_MS = 1000; // the last event may come after the answer
const ENOUGH_FOCUS = 0.28; // quality.py asks for as much; the middle of the bar

export class Captures {
  #service;
  #finished;
  #left;
  #running = null;
  #request = "";
  #started = false;
  #good = false;
  #tellSuspicion = null;

  /** `finished(result | Error, suspicion)` ends each capture, `left()` one that the person has cancelled. */
  constructor(service, finished, left) {
    this.#service = service;
    this.#finished = finished;
    this.#left = left;
  }

  async begin(operation, fields) {
    const running = new AbortController();
    this.#running = running;
    this.#started = this.#good = false;
    const suspicion = new Promise((resolve) => (this.#tellSuspicion = resolve));
    byId("capture-title").textContent = WORDS.capture[operation](fields.subject);
    byId("focus").value = 0;
    this.#say(WORDS.capture.waiting, "");
    this.#progress(0, fields.captures ?? 0);
    show("capture");
    const nonce = freshNonce();
    let outcome;
    try {
      this.#request = await requestOf(nonce);
      outcome = await this.#service.capture(operation, { ...fields, nonce }, running.signal);
      setTimeout(this.#tellSuspicion, outcome.status === "locked" ? 0 : LATEST_MS, null);
    } catch (error) {
      outcome = error;
      this.#tellSuspicion(null);
    }
    const suspected = await suspicion;
    this.#running = null;
    const cancelled = running.signal.aborted;
    running.abort();
    if (cancelled) this.#left();
    else this.#finished(outcome, suspected);
  }

  /** The service drops the capture of a request that is gone. */
  cancel() {
    this.#running?.abort();
  }

  /** An event. Until this capture's turn has come, eye and hints are somebody else's. */
  heard({ name, data }) {
    if (!this.#running) return;
    if (name === "capture_started") this.#start(data.request);
    else if (!this.#started) return;
    else if (name === "hint") this.#judge(data);
    else if (name === "capture_taken") {
      this.#progress(data.number, data.of);
      this.#say(WORDS.capture.taken(data.number, data.of), "good");
    } else if (name === "remove_and_return") this.#say(WORDS.capture.remove, "");
    else if (name === "result") this.#tellSuspicion(data.suspicion);
    else if (name === "camera" && data.state === "lost") this.#say(WORDS.capture.cameraLost, "bad");
  }

  #start(request) {
    this.#started = request === this.#request;
    if (!this.#started) return;
    follow(byId("picture"), this.#service, this.#running.signal, () => this.#good);
  }

  #judge({ hint, focus }) {
    this.#good = hint === null;
    byId("focus").value = (focus ?? 0) / (2 * ENOUGH_FOCUS);
    if (this.#good) this.#say(WORDS.capture.good, "good");
    else this.#say(WORDS.hints[hint] ?? WORDS.hints.retry, "warn");
  }

  #say(text, tone) {
    const line = byId("hint");
    line.dataset.tone = tone;
    if (line.textContent !== text) line.textContent = text; // said once, not with each frame
  }

  #progress(number, of) {
    const steps = byId("steps");
    steps.hidden = of < 2;
    steps.setAttribute("aria-label", WORDS.capture.progress(number, of));
    steps.replaceChildren(
      ...Array.from({ length: of }, (_, index) => {
        const step = document.createElement("li");
        step.classList.toggle("taken", index < number);
        return step;
      }),
    );
  }
}
