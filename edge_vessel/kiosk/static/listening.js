// The stream of events, opened again for as long as the page is signed in.
import { NO_TOKEN } from "./service.js";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 8000;

/**
 * Gives each event to `heard`, and to `reachable` whether the service is there; ends with `denied`
 * where the token is no longer one.
 */
export async function listen(service, signal, { heard, reachable, denied }) {
  let wait_ms = FIRST_WAIT_MS;
  while (!signal.aborted) {
    try {
      for await (const event of service.events(signal)) {
        wait_ms = FIRST_WAIT_MS;
        reachable(true);
        if (event.name !== "open") heard(event);
      }
    } catch (error) {
      if (error.status === NO_TOKEN && !signal.aborted) return denied();
    }
    if (signal.aborted) return undefined;
    reachable(false);
    await new Promise((resolve) => setTimeout(resolve, wait_ms));
    wait_ms = Math.min(2 * wait_ms, LONGEST_WAIT_MS);
  }
  return undefined;
}
