/** The nodes that a page may ask, the nearest first. */
class Nodes {
  #nodes;
  #measured;

  constructor(urls) {
    const base = (url) => String(url).replace(/\/+$/, "");
    this.#nodes = urls.map((url) => ({ url: base(url), trip_ms: Infinity, failures: 0, rests: 0, closed: 0 }));
    this.measure();
  }

  get nearest() {
    return this.#inOrder()[0].url;
  }

  /** Measures all at once; whoever asks meanwhile waits for the first alone, which is near enough. */
  measure() {
    const trips = this.#nodes.length > 1 ? this.#nodes.map(measure) : [Promise.resolve()];
    this.#measured = Promise.any(trips).catch(() => {});
  }

  /**
   * Posts to the nearest, and to the others in turn where it does not answer; `status` 0 is nobody. What is said is
   * made anew for each of them, because it tells what clocks say. The answer has `asked`, from where elapsed time
   * counts, and `wait_ms`, where all have asked to be left alone for so long.
   */
  async post(path, say, headers) {
    await this.#measured;
    let answer = { status: 0, body: { detail: "every node has asked to be left alone" } };
    for (const node of this.#inOrder().filter((it) => it.closed <= monotonic())) {
      answer = await postTo(node.url + path, JSON.stringify(say()), headers);
      if (!isPassing(answer.status)) {
        node.failures = 0;
        break;
      }
      this.#rest(node, answer);
      if (answer.status === 429) break; // it is meant for the player, and not for this node alone
    }
    const opens = Math.min(...this.#nodes.map((node) => node.closed));
    return { ...answer, wait_ms: Math.max(0, opens - monotonic()) };
  }

  /** Asks a node that has failed last for a while, and one that has said for how long not at all. */
  #rest(node, { status, retry_after_ms = 0 }) {
    const now = monotonic();
    node.rests = now + Math.min(REST_MAX_MS, REST_MS * 2 ** node.failures++);
    for (const it of status === 429 ? this.#nodes : [node]) it.closed = Math.max(it.closed, now + retry_after_ms);
  }

  #inOrder() {
    const now = monotonic();
    const isResting = (node) => node.failures > 0 && node.rests > now;
    const byTrip = (a, b) => (a.trip_ms === b.trip_ms ? 0 : a.trip_ms - b.trip_ms);
    return [...this.#nodes].sort((a, b) => isResting(a) - isResting(b) || byTrip(a, b));
  }
}

/** Takes the shorter of two round trips: the first pays for the connection. */
async function measure(node) {
  const trip = async () => {
    const began = monotonic();
    const answer = await fetch(`${node.url}/healthz`, { cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS) });
    if (!answer.ok) throw new Error(`${answer.status}`);
    return monotonic() - began;
  };
  try {
    node.trip_ms = Math.min(await trip(), await trip());
  } catch (why) {
    node.trip_ms = Infinity;
    throw why;
  }
}

async function postTo(url, body, headers) {
  const asked = monotonic();
  const began = wall();
  try {
    const signal = AbortSignal.timeout(ANSWER_MS);
    const response = await fetch(url, { method: "POST", body, headers, signal, cache: "no-store" });
    const text = await response.text();
    const header = (name) => Number(response.headers.get(name)) || 0;
    return {
      asked,
      began,
      status: response.status,
      body: text ? JSON.parse(text) : {},
      interval_ms: header("heartbeat-interval-ms"),
      retry_after_ms: Math.min(RETRY_AFTER_MAX_MS, header("retry-after") * 1_000),
    };
  } catch (why) {
    return { asked, began, status: 0, body: { detail: String(why) } };
  }
}

/** Whether the same request may be taken later, or elsewhere. */
function isPassing(status) {
  return status === 0 || status === 408 || status === 429 || status >= 500;
}

