/** One load of one title. */
class Session extends EventTarget {
  #outbox;
  #owner;
  #asked;
  #goes;
  #playhead;
  #id = null;
  #own = new Set(); // its sessions at the nodes: another begins where a token cannot be renewed
  #line = null; // its token, or null; from where its elapsed time counts, by both clocks; what was heard of before
  #last = null; // the last sample
  #seq = 0;
  #sleep = new Sleep();
  #slept = null; // until when: a line that began before counts too little
  #left = false;
  #opening = null; // the moment when it was asked for
  #asking = false;
  #due = null; // why it is to be asked anew, where nobody has answered yet
  #patience = new Patience();
  #timer = null;
  #end = new AbortController();

  constructor(owner, outbox, media, asked, goes) {
    super();
    [this.#owner, this.#outbox, this.#asked, this.#goes] = [owner, outbox, asked, goes];
    this.#playhead = new Playhead(media, this.#end.signal, (what) => this.#hear(what));
    const ticking = setInterval(() => this.observe(), TICK_MS);
    this.#end.signal.addEventListener("abort", () => [clearInterval(ticking), clearTimeout(this.#timer)]);
    this.#open("start");
  }

  /** The session's id, once it has one. */
  get id() {
    return this.#id;
  }

  /** Leaves the media element: the place where it is, is the last of this session. */
  detach() {
    if (this.#end.signal.aborted) return;
    this.#finish();
    this.#end.abort();
    this.#owner.sessions.delete(this);
  }

  /** Goes to a place without taking it for the viewer's own doing. */
  goTo(position_ms) {
    this.#playhead.goTo(position_ms);
  }

  /** Takes an order for its title, if it has a token to give it under: that is above all that its viewer has seen. */
  order(content, order) {
    if (!this.#line?.token || this.#slept !== null || content !== this.#asked.content) return false;
    if (this.#asked.incognito) return false; // what is ordered is meant to be kept
    const elapsed_ms = Math.round(monotonic() - this.#line.asked);
    const given = { ...this.#asked, ...this.#line, seq: ++this.#seq, elapsed_ms, taken: wall(), order };
    this.#outbox.take(given, { now: true });
    return true;
  }

  /** Looks at the player: once a second, and whenever there is reason to. */
  observe() {
    this.#wake();
    this.#playhead.count();
    if (!this.#playhead.isPaused && this.#moved()) this.#sample("playing");
  }

  /** The page is out of sight, and may be ended without another word. */
  hide() {
    if (!this.#playhead.isPaused && this.#moved()) this.#sample("playing");
    this.#outbox.beacon(this.#id);
  }

  /** The page is in sight again. */
  show() {
    if (this.#left) return; // it comes back in a moment
    this.observe();
    if (this.#playhead.isPaused) this.revalidate("shown");
  }

  /** The page goes. What its player still does while it is torn down says nothing. */
  leave() {
    this.#finish();
    this.#left = true;
    this.#outbox.beacon(this.#id);
  }

  /** The page is back from where a browser keeps pages that were left. */
  back() {
    this.#left = false;
    this.#wake();
    this.revalidate("wake");
  }

  /**
   * Asks anew where to go on, and goes on under a token that is above all that was read: after a sleep, a long
   * pause, an outage. The last report is sent once more, which changes nothing and is answered with both.
   */
  async revalidate(cause) {
    if (this.#opening || this.#asking || !this.#line) return;
    if (cause === "online") cause = this.#due ?? cause;
    if (this.#last?.token === null && this.#playhead.isEngaged) return this.#outbox.send(); // to have it dated
    if (!this.#last?.token) return this.#open(this.#own.size ? cause : "start");
    this.#asking = true;
    const { asked, began, status, body, wait_ms } = await this.#outbox.ask(this.#last);
    this.#asking = false;
    if (this.#end.signal.aborted) return;
    if (isPassing(status)) return this.#later(cause, wait_ms);
    this.#renew();
    this.#adopt(body, { asked, began });
    // Refused, or behind by less than a node renews for: a session of its own is above it too.
    if (status >= 400 || (cause === "wake" && !body.token)) this.#open(cause);
    else if (body.resume && body.result === "superseded") this.#offer(body.resume, cause);
  }

  /** Hears what was said to a sample of some session. */
  answered(session, fresh, moment, problem) {
    if (session !== this.#id) return;
    this.#adopt(fresh, moment);
    // Expired or erased: the viewer goes on, in a session that begins here.
    if (!fresh.token && [401, 410].includes(problem?.status)) this.#open("renewed");
  }

  /** Hears that what was taken without a token has one. */
  dated(sample, token) {
    if (this.#line?.token !== null || lineOf(sample) !== lineOf(this.#line)) return;
    this.#line = { ...this.#line, token };
    if (!this.#own.has(this.#id)) this.#tell("opened", { session: this.#id, resume: null });
    this.#own.add(this.#id);
    this.revalidate("online");
  }

  /** Hears that what was taken without a token will never have one. */
  undatable(sample) {
    if (this.#line?.token === null && lineOf(sample) === lineOf(this.#line)) this.#open("renewed");
  }

  #hear(what) {
    if (what === "played on") this.revalidate("unpaused");
    else if (what === "gone") this.#last && this.detach(); // another load is another session
    else if (what === "failed") this.#finish("failed");
    else if (what !== "played") this.#sample(what);
  }

  #wake() {
    if (!this.#sleep.wasSince()) return;
    this.#slept = monotonic();
    this.revalidate("wake");
  }

  async #open(cause) {
    if (this.#opening) return;
    this.#opening = this.#outbox.moment;
    const { status, body, wait_ms, ...moment } = await this.#outbox.open(this.#asked);
    const began = this.#opening;
    this.#opening = null;
    if (this.#end.signal.aborted) return;
    if (status === 201) return this.#opened(cause, body, moment);
    this.#owner.tell("problem", { kind: "no-session", status, detail: body?.detail });
    const mayYet = isPassing(status) || (status === 401 && typeof this.#owner.credential === "function");
    if (!mayYet) return;
    if (!this.#line) this.#goAlone(began);
    this.#later(cause, wait_ms);
  }

  #opened(cause, { session, token, anchor_ms, heartbeat_interval_ms, resume }, { asked, began }) {
    if (this.#own.size) this.#playhead.deliberate = false; // what was sought before was sought in another session
    this.#renew();
    [this.#id, this.#last] = [session, null];
    this.#begin({ session, token, asked, began, heard: anchor_ms });
    // A session that goes on in another is as engaged as it was.
    if (cause === "start") this.#playhead.begin();
    this.#outbox.interval_ms = heartbeat_interval_ms;
    this.#tell("opened", { session, resume: resume ?? null });
    if (resume && !this.#own.has(resume.session)) this.#offer(resume, cause);
    this.#own.add(session);
  }

  /** Goes on without a token: what is taken from that moment on is dated once a node is there again. */
  #goAlone({ asked, began, heard }) {
    this.#id ??= newId();
    this.#begin({ session: this.#id, token: null, asked, began, heard });
  }

  #begin(line) {
    this.#line = line;
    if (line.asked >= this.#slept) this.#slept = null;
  }

  /** Tries again later what no node answered. */
  #later(cause, wait_ms) {
    if (this.#slept !== null) this.#goAlone(this.#outbox.moment);
    this.#due = cause;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.revalidate(cause), this.#patience.next(wait_ms));
  }

  /** Some node has answered. */
  #renew() {
    this.#patience.renew();
    this.#due = null;
  }

  #adopt({ token, anchor_ms }, { asked, began }) {
    // One that answers an older request than the newest token would take time back.
    if (!token || !this.#line || asked < this.#line.asked) return;
    this.#begin({ session: this.#id, token, asked, began, heard: anchor_ms });
  }

  /** Offers a place; unless the page prevents it, the player goes there. */
  #offer(point, cause) {
    const place = point.resume_position_ms;
    const goes = this.#tell("resume", { ...point, cause });
    // Whoever plays on through an outage is not torn away, nor whoever has sought a place already.
    if (!goes || !this.#goes || cause === "online" || cause === "renewed") return;
    if (cause === "start" && (this.#playhead.deliberate || place <= START_OVER_MS)) return;
    this.goTo(place);
  }

  #moved() {
    return !this.#playhead.isSeeking && this.#playhead.position_ms !== this.#last?.position_ms;
  }

  #finish(event = "stopped") {
    // No node has answered in time, and what was played is worth to be remembered.
    if (!this.#line && this.#opening && this.#playhead.isEngaged) this.#goAlone(this.#opening);
    else if (!this.#last) return; // nothing has moved in this session: it has nothing to say
    if (this.#playhead.isEmpty) this.#repeat(event); // torn down: its place is 0
    else this.#sample(event);
  }

  /** Takes a sample. One of a place that stood still says so under the token and time of its last movement. */
  #sample(event) {
    if (!this.#line || this.#left || this.#playhead.isGoing) return;
    this.#playhead.count();
    if (event !== "seeked" && !this.#moved()) return this.#repeat(event);
    if (this.#asking && event === "playing") return; // on which line is about to be said
    if (this.#slept !== null) this.#goAlone(this.#outbox.moment);
    const elapsed_ms = Math.round(monotonic() - this.#line.asked);
    this.#put({ ...this.#asked, ...this.#line, elapsed_ms, ...this.#playhead.sample, event });
  }

  #repeat(event) {
    if (this.#last) this.#put({ ...this.#last, event });
  }

  #put(sample) {
    if (sample.incognito && !sample.token) return; // no token could be asked for that would keep it secret
    const { played_ms, deliberate } = this.#playhead;
    this.#last = { ...sample, seq: ++this.#seq, played_ms: Math.round(played_ms), deliberate, taken: wall() };
    this.#outbox.take(this.#last, { now: sample.event !== "playing" });
  }

  #tell(name, detail) {
    return this.dispatchEvent(new CustomEvent(name, { detail, cancelable: true }));
  }
}

/** A random UUID; the browser's own function is for secure pages only. */
function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

