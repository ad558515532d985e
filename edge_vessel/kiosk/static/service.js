// The service's interface, as the page needs it.

export const NO_TOKEN = 401;
const SILENCE_MS = 40_000; // a heartbeat comes every 15 s

/** The service answered, with something other than 2xx. */
export class Refused extends Error {
  constructor(status, retryAfter_s) {
    super(`HTTP ${status}`);
    this.status = status;
    this.retryAfter_s = retryAfter_s;
  }
}

export class Service {
  #token;

  constructor(token) {
    this.#token = token;
  }

  async #ask(method, path, { body, signal } = {}) {
    const headers = { Authorization: `Bearer ${this.#token}` };
    if (body) headers["Content-Type"] = "application/json";
    const answer = await fetch(path, {
      method,
      headers,
      signal,
      body: body && JSON.stringify(body),
      cache: "no-store",
      credentials: "omit",
      redirect: "error",
    });
    if (!answer.ok) throw new Refused(answer.status, Number(answer.headers.get("Retry-After")));
    return answer;
  }

  async status() {
    return (await this.#ask("GET", "/v1/status")).json();
  }

  /** The result document. `fields` has a fresh nonce; aborting `signal` cancels the capture. */
  async capture(operation, fields, signal) {
    return (await this.#ask("POST", `/v1/${operation}`, { body: fields, signal })).json();
  }

  async subjects() {
    return (await this.#ask("GET", "/v1/subjects")).json();
  }

  async remove(subject) {
    await this.#ask("DELETE", `/v1/subjects/${encodeURIComponent(subject)}`);
  }

  /** `{number, picture, fov}` of a frame after `after`; null where there is none. */
  async preview(after, signal) {
    const answer = await this.#ask("GET", `/v1/preview?after=${after}`, { signal });
    if (answer.status === 204) return null;
    const fov = answer.headers.get("X-Fov");
    return {
      number: Number(answer.headers.get("X-Frame")),
      picture: await createImageBitmap(await answer.blob()),
      fov: fov ? fov.split(",").map(Number) : null,
    };
  }

  /**
   * `{name, data}` of each event; the first is named "open". EventSource cannot send a token, so
   * the stream is read here. Ends where the service closes it or is silent for too long.
   */
  async *events(signal) {
    const silent = new AbortController();
    let timer = setTimeout(() => silent.abort(), SILENCE_MS);
    try {
      const both = AbortSignal.any([signal, silent.signal]);
      const answer = await this.#ask("GET", "/v1/events", { signal: both });
      yield { name: "open", data: null };
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let text = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        clearTimeout(timer);
        timer = setTimeout(() => silent.abort(), SILENCE_MS);
        const blocks = (text + value).replaceAll("\r", "").split("\n\n");
        text = blocks.pop();
        yield* blocks.map(parsed).filter((event) => event !== null);
      }
    } finally {
      clearTimeout(timer);
    }
  }
}

/** One event of the stream; null for a comment. */
function parsed(block) {
  const fields = { event: "message", data: "" };
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) fields[line.slice(0, colon)] = line.slice(colon + 1).trimStart();
  }
  return fields.data ? { name: fields.event, data: JSON.parse(fields.data) } : null;
}

export function freshNonce() {
  const bytes = crypto.getRandomValues(new Uint8Array(24));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_");
}

/** What events call the request with this nonce. */
export async function requestOf(nonce) {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(nonce));
  const bytes = [...new Uint8Array(digest).slice(0, 4)];
  return bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
