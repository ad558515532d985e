// A capture: from the button to its result.
import { follow } from "./preview.js";
import { byId, show } from "./view.js";
import { WORDS } from "./words.js";

const ENOUGH_FOCUS = 0.28; // quality.py asks for as much; the middle of the bar

export class Captures {
  #service;
  #finished;
  #left;
  #running = null;
  #operation = "";
  #started = false;
  #good = false;
  #suspicion = null;

  /** `finished(result | Error, suspicion)` ends each capture, `left()` one that the person has cancelled. */
  constructor(service, finished, left) {
    this.#service = service;
    this.#finished = finished;
    this.#left = left;
  }

  async begin(operation, fields) {
    const running = new AbortController();
    this.#running = running;
    this.#operation = operation;
    this.#started = this.#good = false;
    this.#suspicion = null;
    byId("capture-title").textContent = WORDS.capture[operation](fields.subject);
    byId("focus").value = 0;
    this.#say(WORDS.capture.waiting, "");
    this.#progress(0, fields.captures ?? 0);
    show("capture");
    let outcome;
    try {
      outcome = await this.#service.capture(operation, fields, running.signal);
    } catch (error) {
      outcome = error;
    }
    this.#running = null;
    const cancelled = running.signal.aborted;
    running.abort();
    if (cancelled) this.#left();
    else this.#finished(outcome, this.#suspicion);
  }

  /** The service drops the capture of a request that is gone. */
  cancel() {
    this.#running?.abort();
  }

  /** An event. Until this capture's turn has come, eye and hints are somebody else's. */
  heard({ name, data }) {
    if (!this.#running) return;
    if (name === "capture_started") this.#start(data.operation);
    else if (!this.#started) return;
    else if (name === "hint") this.#judge(data);
    else if (name === "capture_taken") {
      this.#progress(data.number, data.of);
      this.#say(WORDS.capture.taken(data.number, data.of), "good");
    } else if (name === "remove_and_return") this.#say(WORDS.capture.remove, "");
    else if (name === "result") this.#suspicion = data.suspicion;
    else if (name === "camera" && data.state === "lost") this.#say(WORDS.capture.cameraLost, "bad");
  }

  #start(operation) {
    if (this.#started || operation !== this.#operation) return;
    this.#started = true;
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
