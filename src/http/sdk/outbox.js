const JSON_TYPE = { "Content-Type": "application/json" };
const TEXT_TYPE = { "Content-Type": "text/plain" }; // which pages of other origins send without asking first

/** Kinds of refusal that say nothing of the sample, only of its token: its device can still tell when it was taken. */
const BAD_TOKENS = ["clock-runs-wild", "token-expired", "bad-token"];

/** Everything that goes to the nodes: sessions are opened, lines dated, and samples sent until they are taken. */
class Outbox {
  #owner;
  #queue;
  #disk = new Disk();
  #ready;
  #heard = null; // the latest time of a node's that this device has heard of
  #cursor = null; // up to where it has heard what changed
  #asking = false; // what has changed
  #sending = null;
  #patience = new Patience();
  #timer = null;
  #syncs = true; // whether the credential lets this page sync
  interval_ms = TICK_MS;

  /** The owner has a `profile`, a `credential`, its `sessions`, and is told what happens with `tell`. */
  constructor(owner, urls, store) {
    this.#owner = owner;
    this.nodes = new Nodes(urls);
    this.#queue = new Queue(this.#disk, (sample) => owner.tell("problem", { kind: "queue-full", sample }));
    // A private window may have no disk: then memory has to do.
    const opened = this.#open(store).catch(() => {});
    this.#ready = Promise.race([opened, new Promise((go) => setTimeout(go, DISK_MS))]);
    opened.then(() => this.send());
  }

  async #open(store) {
    const [samples, heard, cursor] = await this.#disk.open(store, "heard", this.#cursorKey);
    if (heard > this.#heard) this.#heard = heard;
    this.#cursor ??= cursor ?? null;
    this.#queue.takeUp(samples);
  }

  get #cursorKey() {
    return `cursor ${this.#owner.profile}`;
  }

  get waiting() {
    return this.#queue.length;
  }

  /** What is known of this moment, should a line begin at it. */
  get moment() {
    return { asked: monotonic(), began: wall(), heard: this.#heard };
  }

  /** Opens a session. */
  async open(asked) {
    await this.#ready;
    const { moment } = this;
    const answer = await this.#postAs("/v1/sessions", () => asked);
    if (answer.status === 201) this.#hear(answer.body.anchor_ms);
    return { ...moment, ...answer };
  }

  /** Takes an order of the viewer's that no session gives: it has a line of its own, which begins with it. */
  order(content, order) {
    const { profile, device } = this.#owner;
    const line = { profile, content, device, session: newId(), token: null, ...this.moment };
    this.take({ ...line, seq: 1, elapsed_ms: 0, taken: wall(), order }, { now: true });
  }

  /** Takes a sample to be sent at once, or with the others of its interval. */
  take(sample, { now }) {
    this.#queue.add(sample);
    if (now) this.send();
    else this.#sendWithin(this.interval_ms);
  }

  /** The last words of a page, which are sent whatever becomes of it; they wait in the queue all the same. */
  beacon(session) {
    const samples = this.#queue.latest(session).map(heartbeat);
    try {
      if (samples.length) navigator.sendBeacon(`${this.nodes.nearest}/v1/heartbeats`, JSON.stringify(samples));
    } catch (why) {
      this.#owner.tell("problem", { kind: "beacon", detail: String(why) });
    }
  }

  /** Sends one sample alone: its answer says who won, and brings a fresh token to whoever is behind. */
  ask(sample) {
    const { sent_elapsed_ms, ...said } = heartbeat(sample);
    return this.nodes.post("/v1/heartbeats", () => said, TEXT_TYPE);
  }

  /** Sends what waits, the oldest first, one request at a time. */
  send() {
    this.#sending ??= this.#drain().finally(() => {
      this.#sending = null;
      if (this.#queue.batch().length) this.#sendWithin(this.interval_ms);
    });
    return this.#sending;
  }

  /** Begins afresh: what failed before says nothing any more. */
  renew() {
    this.nodes.measure();
    this.#patience.renew();
  }

  /** Hears what has changed since it was last asked, if the page wants to know. */
  async missed() {
    if (!this.#owner.changes || this.#asking) return;
    this.#asking = true;
    await this.#ready;
    for (let pages = PAGES_MAX; pages > 0; pages--) {
      const { status, body } = await this.#sync(() => ({ cursor: this.#cursor ?? "now" }));
      if (status !== 200) {
        this.#owner.tell("problem", { kind: kindOf(body) ?? "unreachable", status, detail: body?.detail });
        break;
      }
      for (const title of body.changes ?? []) this.#owner.tell("changed", title);
      this.#cursor = body.cursor;
      this.#disk.know(this.#cursorKey, this.#cursor);
      if (!body.more) break;
    }
    this.#asking = false;
  }

  async #drain() {
    clearTimeout(this.#timer);
    this.#timer = null;
    try {
      while ((await this.#date()) && (await this.#sendBatch()));
    } catch (why) {
      this.#owner.tell("problem", { kind: "internal", detail: String(why) });
      this.#retry(0);
    }
  }

  /**
   * Asks for tokens for what was taken without: any node derives them from what this device's clocks say. Whether
   * it is worth going on.
   */
  async #date() {
    const lines = this.#queue.undated(this.#owner.profile);
    if (!lines.length || !this.#syncs) return true;
    const clocks = () => ({ clock: "active", sent_at_ms: wall() });
    const answer = await this.#sync(() => ({ clocks: clocks(), sessions: lines.map(undated) }));
    const { status, body } = answer;
    if (isPassing(status) || (status < 400 && !body.tokens)) return this.#fail("unreachable", answer);
    if (isDenied(status)) this.#deny(this.#owner.profile);
    const tokens = body.tokens ?? lines.map(() => ({ problem: body }));
    lines.forEach((line, index) => this.#hearOf(line, tokens[index]));
    return true;
  }

  /** Hears what became of a line that had no token. */
  #hearOf(line, { token, problem }) {
    if (token) {
      for (const sample of line) sample.derived = true;
      this.#queue.date(line, token);
      for (const session of this.#owner.sessions) session.dated(line[0], token);
      return;
    }
    this.#owner.tell("problem", { kind: kindOf(problem), ...problem });
    // Whoever may not yet may later; anything else would be refused again.
    if (isPassing(problem.status) || isDenied(problem.status)) return this.#retry(0);
    this.#queue.remove(line);
    for (const session of this.#owner.sessions) session.undatable(line[0]);
  }

  /** Sends one batch; whether there may be another. */
  async #sendBatch() {
    const samples = this.#queue.batch();
    if (!samples.length) return false;
    const answer = await (samples[0].order ? this.#give(samples) : this.#report(samples));
    // An answer that says nothing of them is not a node's.
    if (isPassing(answer.status) || (answer.status < 400 && !answer.body.results)) {
      for (const sample of samples) sample.kept = true;
      return this.#fail("unreachable", answer);
    }
    if (samples[0].order && answer.status === 401) return this.#keepOrders(samples, answer.body);
    this.#patience.renew();
    this.interval_ms = answer.interval_ms || this.interval_ms;
    const results = answer.body.results ?? samples.map(() => ({ problem: answer.body }));
    const done = this.#settle(samples, results);
    const problem = results.map((it) => it.problem).find((it) => it);
    const fresh = answer.body.token ? answer.body : (problem ?? {});
    for (const session of this.#owner.sessions) session.answered(samples.at(-1).session, fresh, answer, problem);
    if (problem) this.#owner.tell("problem", { kind: kindOf(problem), ...problem });
    return done || this.#fail("unreachable", answer);
  }

  /** Removes what was taken or is refused for good; what only its token stood against goes without one. */
  #settle(samples, results) {
    const statusOf = (index) => results[index]?.problem?.status ?? 200;
    const isUndone = (sample, index) => !sample.derived && BAD_TOKENS.includes(kindOf(results[index]?.problem));
    const undone = samples.filter(isUndone);
    const done = samples.filter((sample, index) => !isPassing(statusOf(index)) && !undone.includes(sample));
    this.#queue.date(undone, null);
    this.#queue.remove(done);
    if (done.length) this.#owner.tell("sent", { taken: done.length });
    return done.length + undone.length === samples.length;
  }

  /** Gives orders. */
  async #give(orders) {
    const commands = orders.map(({ token, seq, elapsed_ms, order }) => ({ token, seq, elapsed_ms, ...order }));
    const { body, ...answer } = await this.#sync(() => ({ commands }), orders[0].profile);
    return { ...answer, body: body.commands ? { results: body.commands } : body };
  }

  /** Lets orders wait for a credential, and the others pass. */
  #keepOrders(orders, problem) {
    this.#owner.tell("problem", { kind: kindOf(problem), ...problem });
    this.#queue.date(orders, null);
    this.#deny(orders[0].profile);
    this.#retry(0);
    return true;
  }

  /** What could not be sent when it was taken is synced to a disk before it is forgotten here. */
  async #report(samples) {
    const heartbeats = () => samples.map(heartbeat);
    if (this.#syncs && samples.some((sample) => sample.kept || sample.derived || sample.asked === null)) {
      const { profile } = samples[0];
      const { body, ...answer } = await this.#sync(() => ({ heartbeats: heartbeats() }), profile);
      if (!isDenied(answer.status)) return { ...answer, body: body.heartbeats ?? body };
      this.#deny(profile); // a session's token is right enough at the other door
    }
    return this.nodes.post("/v1/heartbeats", heartbeats, TEXT_TYPE);
  }

  async #sync(say, profile = this.#owner.profile) {
    const answer = await this.#postAs("/v1/sync", () => ({ profile, ...say() }));
    if (answer.status === 200) this.#hear(answer.body.now_ms);
    return answer;
  }

  /** A credential that was not let in never will be, unless the page has a function that gets others. */
  #deny(profile) {
    if (profile === this.#owner.profile && typeof this.#owner.credential !== "function") this.#syncs = false;
  }

  /** Posts as whoever this page speaks for. */
  async #postAs(path, say) {
    try {
      const { credential } = this.#owner;
      const shown = typeof credential === "function" ? await credential() : credential;
      const headers = shown ? { ...JSON_TYPE, Authorization: `Bearer ${shown}` } : JSON_TYPE;
      return await this.nodes.post(path, say, headers);
    } catch (why) {
      return { status: 0, body: { detail: String(why) } }; // the page's own function failed: it may yet succeed
    }
  }

  #hear(time_ms) {
    if (!(time_ms > this.#heard)) return;
    this.#heard = time_ms;
    this.#disk.know("heard", time_ms);
  }

  #fail(kind, { status, body, wait_ms }) {
    this.#owner.tell("problem", { kind, status, detail: body?.detail });
    this.#retry(wait_ms ?? 0);
    return false;
  }

  #retry(wait_ms) {
    this.#sendWithin(this.#patience.next(wait_ms));
  }

  #sendWithin(ms) {
    this.#timer ??= setTimeout(() => this.send(), ms);
  }
}

/** The name of a problem, which is the last part of its type. */
const kindOf = (problem) => problem?.type?.split(/[#/]/).at(-1);

/** Whether somebody else, or with another credential, might have been let in. */
const isDenied = (status) => status === 401 || status === 403;

/** A sample as a heartbeat: `sent_elapsed_ms` is that of this sending, by the clock it was taken by. */
function heartbeat(sample) {
  const { token, seq, elapsed_ms, position_ms, duration_ms, event, rate, played_ms, deliberate, asked } = sample;
  const said = { token, seq, elapsed_ms, position_ms, duration_ms, event, rate, played_ms, deliberate };
  return asked === null ? said : { ...said, sent_elapsed_ms: Math.max(elapsed_ms, Math.round(monotonic() - asked)) };
}

/** A line as a node dates it. */
function undated(samples) {
  const [{ content, session, device, series, asked, began, heard }] = samples;
  return {
    content,
    session,
    device,
    series,
    elapsed_ms: Math.max(...samples.map((sample) => sample.elapsed_ms)),
    sent_elapsed_ms: asked === null ? undefined : Math.round(monotonic() - asked),
    occurred_at_ms: began,
    last_server_time_ms: heard ?? undefined,
  };
}

