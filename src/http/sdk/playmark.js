// Makes a page remember where its viewer stopped.
//
//   import { Playmark } from "https://eu.example/sdk/playmark.js";
//   const playmark = new Playmark({ profile: "ada" });
//   playmark.attach(document.querySelector("video"), "metropolis");
//
// A session is one load of one title: it is opened at the nearest server, goes to where the profile last
// stopped, and takes a sample a second while the place moves, and at once on a pause, a seek and at the end.
// A sample keeps the token and the elapsed time that it was taken under, however late it is sent and whatever
// token comes later: that is what makes all servers agree. What no server has taken yet is kept in
// IndexedDB, so that neither an outage nor a reload loses it.
//
// Nothing here throws into the player: whatever goes wrong is an event, `problem`.

const TICK_MS = 1_000; // between samples while the place moves
const ANSWER_MS = 4_000; // for a server to answer before the next one is asked
const RETRY_MS = 1_000; // before the first retry; each later one waits twice as long
const RETRY_MAX_MS = 60_000; // and at most so long
const QUEUE_MAX = 4_096; // samples kept while no server answers: more than an hour of them
const BATCH_MAX = 64; // samples a request; with their tokens well within a server's 64 KiB
const BEACON_MAX = 16; // samples in the last words of a page
const START_OVER_MS = 1_000; // places before this are not worth a seek
const SLEPT_MS = 5_000; // by which wall and monotonic clock part when the device has slept
const LONG_PAUSE_MS = 300_000; // after which somebody may have watched on elsewhere
const NEAR_S = 0.5; // how near a seek ends to where it was meant to

const monotonic = () => performance.now();

/** Waits between a half and the whole of what is due, so that players do not come back all at once. */
const jitter = (ms) => ms * (0.5 + Math.random() / 2);

/** Servers, the nearest first. */
class Servers {
  constructor(urls) {
    this.urls = urls.map((url) => String(url).replace(/\/+$/, ""));
    this.measured = this.urls.length > 1 ? this.measure() : Promise.resolve();
  }

  get nearest() {
    return this.urls[0];
  }

  /** Sorts them by the shorter of two round trips: the first pays for the connection. */
  async measure() {
    const trip = async (url) => {
      const began = monotonic();
      const answer = await fetch(`${url}/healthz`, { cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS) });
      return answer.ok ? monotonic() - began : Infinity;
    };
    const far = () => Infinity;
    const nearness = async (url) => [url, Math.min(await trip(url).catch(far), await trip(url).catch(far))];
    const trips = await Promise.all(this.urls.map(nearness));
    this.urls = trips.sort((a, b) => (a[1] === b[1] ? 0 : a[1] - b[1])).map(([url]) => url);
  }

  /** Posts to the nearest, and to the others in turn where it does not answer; `status` 0 is nobody. */
  async post(path, body, headers) {
    await this.measured;
    let answer = { status: 0 };
    for (let left = this.urls.length; left > 0; left--) {
      answer = await this.#postTo(this.nearest, path, body, headers);
      if (!isPassing(answer.status)) break;
      this.urls.push(this.urls.shift());
    }
    return answer;
  }

  async #postTo(url, path, body, headers) {
    const asked = monotonic();
    try {
      const signal = AbortSignal.timeout(ANSWER_MS);
      const response = await fetch(url + path, { method: "POST", body, headers, signal, cache: "no-store" });
      const text = await response.text();
      const header = (name) => Number(response.headers.get(name)) || 0;
      return {
        asked,
        status: response.status,
        body: text ? JSON.parse(text) : {},
        interval_ms: header("heartbeat-interval-ms"),
        wait_ms: header("retry-after") * 1_000,
      };
    } catch (why) {
      return { asked, status: 0, body: { detail: String(why) } };
    }
  }
}

/** Whether the same request may be taken later, or elsewhere. */
function isPassing(status) {
  return status === 0 || status === 408 || status === 429 || status >= 500;
}

/** Samples that no server has taken yet, in the order they were taken; each is mirrored in IndexedDB. */
class Queue {
  #samples = [];
  #disk = null;

  constructor(name, dropped) {
    this.dropped = dropped;
    this.loaded = this.#open(name).catch(() => {}); // a private window may have no disk: then it is memory
  }

  get length() {
    return this.#samples.length;
  }

  add(sample) {
    this.#samples.push(sample);
    this.#write((store) => store.put(sample, keyOf(sample)));
    if (this.#samples.length > QUEUE_MAX) {
      const victim = this.#superseded() ?? this.#samples[0];
      this.remove([victim]);
      this.dropped(victim);
    }
  }

  remove(samples) {
    const gone = new Set(samples);
    this.#samples = this.#samples.filter((sample) => !gone.has(sample));
    this.#write((store) => samples.forEach((sample) => store.delete(keyOf(sample))));
  }

  /** The oldest that waits and what follows it under the same token: elapsed times of one line only. */
  batch() {
    const [first] = this.#samples;
    return this.#samples.filter((sample) => sample.token === first.token).slice(0, BATCH_MAX);
  }

  /** The latest of a session. */
  latest(session) {
    return this.#samples.filter((sample) => sample.session === session).slice(-BEACON_MAX);
  }

  /** The oldest mere tick after which its session has said more: the least that can be lost. */
  #superseded() {
    const last = new Map(this.#samples.map((sample) => [sample.session, sample]));
    return this.#samples.find((it) => it.event === "playing" && last.get(it.session) !== it);
  }

  async #open(name) {
    const opening = indexedDB.open(name, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore("samples");
    this.#disk = await settled(opening);
    const store = this.#disk.transaction("samples").objectStore("samples");
    const left = await settled(store.getAll());
    // What another page left; its clock is gone with it, so `asked` means nothing here. Samples that this page
    // took meanwhile are in memory already.
    const known = new Set(this.#samples.map(keyOf));
    const older = left.filter((sample) => !known.has(keyOf(sample))).map((sample) => ({ ...sample, asked: null }));
    older.sort((a, b) => a.taken - b.taken || a.seq - b.seq);
    this.#samples = [...older, ...this.#samples].slice(-QUEUE_MAX);
    known.forEach((key) => this.#write((store) => store.put(this.#samples.find((it) => keyOf(it) === key), key)));
  }

  #write(change) {
    try {
      if (this.#disk) change(this.#disk.transaction("samples", "readwrite").objectStore("samples"));
    } catch {
      this.#disk = null; // the browser has taken it away: what is in memory goes on
    }
  }
}

const keyOf = (sample) => `${sample.session} ${String(sample.seq).padStart(10, "0")}`;

function settled(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** A heartbeat as it is sent: `sent_elapsed_ms` is that of this sending, by the clock it was taken by. */
function heartbeat({ asked, taken, session, ...said }) {
  return asked === null ? said : { ...said, sent_elapsed_ms: Math.max(said.elapsed_ms, Math.round(monotonic() - asked)) };
}

/** One viewer's connection to the servers. */
export class Playmark extends EventTarget {
  #queue;
  #sending = false;
  #failures = 0;
  #timer = null;
  #sessions = new Set();

  constructor({ profile, servers, credential, device, store = "playmark" } = {}) {
    super();
    this.profile = profile;
    this.device = device;
    this.credential = credential;
    this.interval_ms = TICK_MS;
    this.servers = new Servers(servers?.length ? servers : [new URL(import.meta.url).origin]);
    this.#queue = new Queue(store, (sample) => this.tell("problem", { kind: "queue-full", sample }));
    this.#queue.loaded.then(() => this.send());
    addEventListener("online", () => this.#online());
    addEventListener("pageshow", (event) => event.persisted && this.#sessions.forEach((session) => session.back()));
    addEventListener("pagehide", () => this.#sessions.forEach((session) => session.leave()));
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "hidden") this.#sessions.forEach((session) => session.hide());
      else this.#sessions.forEach((session) => session.observe());
    });
  }

  /** How many samples no server has taken yet. */
  get waiting() {
    return this.#queue.length;
  }

  /** Follows a media element from here on, until its `detach` is called or another source is loaded. */
  attach(media, content, { series, incognito, resume = true } = {}) {
    const asked = { profile: this.profile, content, device: this.device, series, incognito };
    const session = new Session(this, media, asked, resume);
    this.#sessions.add(session);
    return session;
  }

  revalidate(cause) {
    this.#sessions.forEach((session) => session.revalidate(cause));
  }

  tell(name, detail) {
    return this.dispatchEvent(new CustomEvent(name, { detail, cancelable: true }));
  }

  forget(session) {
    this.#sessions.delete(session);
  }

  /** Opens a session; the answer has `asked`, from where its elapsed time counts. */
  async open(asked) {
    try {
      const credential = typeof this.credential === "function" ? await this.credential() : this.credential;
      const headers = { "Content-Type": "application/json" };
      if (credential) headers.Authorization = `Bearer ${credential}`;
      return await this.servers.post("/v1/sessions", JSON.stringify(asked), headers);
    } catch (why) {
      return { status: 0, body: { detail: String(why) } }; // the page's own function failed: it may yet succeed
    }
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
      if (samples.length) navigator.sendBeacon(`${this.servers.nearest}/v1/heartbeats`, JSON.stringify(samples));
    } catch (why) {
      this.tell("problem", { kind: "beacon", detail: String(why) });
    }
  }

  /** Sends what waits, the oldest first, one request at a time. */
  async send() {
    if (this.#sending) return;
    this.#sending = true;
    clearTimeout(this.#timer);
    this.#timer = null;
    try {
      while (this.#queue.length && (await this.#sendBatch()));
    } catch (why) {
      this.tell("problem", { kind: "internal", detail: String(why) });
      this.#retry(0);
    } finally {
      this.#sending = false;
    }
    if (this.#queue.length) this.#sendWithin(this.interval_ms);
  }

  async #sendBatch() {
    const samples = this.#queue.batch();
    const answer = await this.#report(samples.map(heartbeat));
    if (isPassing(answer.status)) {
      this.tell("problem", { kind: "unreachable", status: answer.status, detail: answer.body?.detail });
      this.#retry(answer.wait_ms ?? 0);
      return false;
    }
    this.#failures = 0;
    this.interval_ms = answer.interval_ms || this.interval_ms;
    const results = answer.body.results ?? samples.map(() => ({ problem: answer.body }));
    const done = samples.filter((_, index) => !isPassing(results[index]?.problem?.status ?? 200));
    // Taken, or refused for good: sending the same again would change nothing.
    this.#queue.remove(done);
    this.tell("sent", { taken: done.length });
    const problem = results.map((it) => it.problem).find((it) => it);
    const token = answer.body.token ?? problem?.token;
    for (const session of this.#sessions) session.answered(samples.at(-1).session, token, answer.asked, problem);
    if (problem) this.tell("problem", { kind: problem.type, ...problem });
    if (done.length < samples.length) this.#retry(0);
    return done.length === samples.length;
  }

  #report(body) {
    return this.servers.post("/v1/heartbeats", JSON.stringify(body), { "Content-Type": "text/plain" });
  }

  /** Sends one sample alone: its answer says who won, and brings a fresh token to whoever is behind. */
  ask(sample) {
    const { sent_elapsed_ms, ...said } = heartbeat(sample);
    return this.#report(said);
  }

  #retry(wait_ms) {
    const due = Math.min(RETRY_MAX_MS, RETRY_MS * 2 ** this.#failures++);
    this.#sendWithin(Math.max(wait_ms, jitter(due)));
  }

  #sendWithin(ms) {
    this.#timer ??= setTimeout(() => this.send(), ms);
  }

  #online() {
    this.servers.measured = this.servers.measure();
    this.#failures = 0;
    this.send();
    this.revalidate("online");
  }
}

/** One load of one title. */
class Session extends EventTarget {
  #playmark;
  #media;
  #asked;
  #goes;
  #id = null;
  #own = new Set(); // its sessions at the servers: another begins where a token cannot be renewed
  #line = null; // the newest token, and when it was asked for
  #last = null; // the last sample
  #seq = 0;
  #played_ms = 0;
  #deliberate = false;
  #seen = null; // place and time at the last look, by which what was played is counted
  #target = null; // where a seek of our own leads
  #paused = null; // since when
  #parted = Date.now() - monotonic(); // how far wall and monotonic clock are apart
  #left = false;
  #opening = false;
  #failures = 0;
  #end = new AbortController();

  constructor(playmark, media, asked, goes) {
    super();
    [this.#playmark, this.#media, this.#asked, this.#goes] = [playmark, media, asked, goes];
    const on = (name, handle) => media.addEventListener(name, handle, { signal: this.#end.signal });
    on("play", () => this.#play());
    on("pause", () => this.#pause());
    on("seeking", () => (this.#seen = null));
    on("seeked", () => this.#sought());
    on("ended", () => this.#sample("ended"));
    on("error", () => this.#sample("failed"));
    on("timeupdate", () => this.#count());
    on("emptied", () => this.#last && this.detach()); // another load is another session
    const ticking = setInterval(() => this.observe(), TICK_MS);
    this.#end.signal.addEventListener("abort", () => clearInterval(ticking));
    this.#open("start");
  }

  /** The session's id, once it is open. */
  get id() {
    return this.#id;
  }

  /** Leaves the media element: the place where it is, is the last of this session. */
  detach() {
    if (this.#end.signal.aborted) return;
    this.#sample("stopped");
    this.#end.abort();
    this.#playmark.forget(this);
  }

  /** Goes to a place without taking it for the viewer's own doing. */
  goTo(position_ms) {
    this.#target = position_ms / 1_000;
    const go = () => this.#target !== null && (this.#media.currentTime = this.#target);
    if (this.#media.readyState > 0) go();
    else this.#media.addEventListener("loadedmetadata", go, { once: true, signal: this.#end.signal });
  }

  /** Looks at the player: once a second, and whenever there is reason to. */
  observe() {
    const parted = Date.now() - monotonic();
    if (Math.abs(parted - this.#parted) > SLEPT_MS) {
      this.#parted = parted;
      this.revalidate("wake");
    }
    this.#count();
    if (!this.#media.paused && this.#moved()) this.#sample("playing");
  }

  /** The page is out of sight, and may be ended without another word. */
  hide() {
    if (!this.#media.paused && this.#moved()) this.#sample("playing");
    this.#playmark.beacon(this.#id);
  }

  /** The page goes. What its player still does while it is torn down says nothing. */
  leave() {
    this.#sample("stopped");
    this.#left = true;
    this.#playmark.beacon(this.#id);
  }

  /** The page is back from where a browser keeps pages that were left. */
  back() {
    this.#left = false;
    this.revalidate("wake");
  }

  /**
   * Asks anew where to go on, and goes on under a token that is above all that was read: after a sleep, a long
   * pause, an outage. The last report is sent once more, which changes nothing and is answered with both.
   */
  async revalidate(cause) {
    if (this.#opening || !this.#id) return;
    const last = this.#last;
    if (!last) return this.#open(cause);
    const { asked, status, body } = await this.#playmark.ask(last);
    if (this.#end.signal.aborted) return;
    if (isPassing(status)) return;
    this.#adopt(body.token, asked);
    if (body.resume && body.result === "superseded") this.#offer(body.resume, cause);
    // Behind by less than a server renews for: a session of its own is above it too.
    if (status >= 400 || (cause === "wake" && !body.token)) this.#open(cause);
  }

  /** Hears what was said to a sample of some session. */
  answered(session, token, asked, problem) {
    if (session !== this.#id) return;
    this.#adopt(token, asked);
    // Expired or erased: the viewer goes on, in a session that begins here.
    if (!token && [401, 410].includes(problem?.status)) this.#open("renewed");
  }

  #adopt(token, asked) {
    // One that answers an older request than the newest token would take time back.
    if (token && this.#line && asked >= this.#line.asked) this.#line = { token, asked };
  }

  async #open(cause) {
    if (this.#opening) return;
    this.#opening = true;
    const { asked, status, body } = await this.#playmark.open(this.#asked);
    this.#opening = false;
    if (this.#end.signal.aborted) return;
    if (status !== 201) {
      this.#playmark.tell("problem", { kind: "no-session", status, detail: body?.detail });
      const may = isPassing(status) || (status === 401 && typeof this.#playmark.credential === "function");
      const due = jitter(Math.min(RETRY_MAX_MS, RETRY_MS * 2 ** this.#failures++));
      if (may) setTimeout(() => this.#end.signal.aborted || this.#open(cause), due);
      return;
    }
    if (this.#id) this.#deliberate = false; // what was sought before was sought in the session before
    [this.#failures, this.#id, this.#line] = [0, body.session, { token: body.token, asked }];
    [this.#last, this.#played_ms, this.#seen] = [null, 0, null];
    this.#playmark.interval_ms = body.heartbeat_interval_ms;
    this.#tell("opened", { session: body.session, resume: body.resume ?? null });
    if (body.resume && !this.#own.has(body.resume.session)) this.#offer(body.resume, cause);
    this.#own.add(body.session);
  }

  /** Offers a place; unless the page prevents it, the player goes there. */
  #offer(point, cause) {
    const place = point.resume_position_ms;
    const goes = this.#tell("resume", { ...point, cause });
    // Whoever plays on through an outage is not torn away, nor whoever has sought a place already.
    if (!goes || !this.#goes || cause === "online" || cause === "renewed") return;
    if (cause === "start" ? this.#deliberate || place <= START_OVER_MS : false) return;
    this.goTo(place);
  }

  #play() {
    const long = this.#paused !== null && Date.now() - this.#paused > LONG_PAUSE_MS;
    this.#paused = null;
    if (long) this.revalidate("unpaused");
  }

  #pause() {
    this.#paused = Date.now();
    this.#count();
    this.#seen = null;
    if (!this.#media.ended) this.#sample("paused");
  }

  #sought() {
    const ours = this.#target !== null && Math.abs(this.#media.currentTime - this.#target) < NEAR_S;
    this.#target = null;
    if (ours) return;
    this.#deliberate = true;
    this.#sample("seeked");
  }

  #position() {
    return Math.round(this.#media.currentTime * 1_000);
  }

  #moved() {
    return !this.#media.seeking && this.#position() !== this.#last?.position_ms;
  }

  /** Adds what was played since the last look: as much as the place has moved, and no more than time has. */
  #count() {
    const [place, at] = [this.#media.currentTime, monotonic()];
    if (this.#seen && !this.#media.seeking) {
      const moved = ((place - this.#seen.place) * 1_000) / (this.#media.playbackRate || 1);
      this.#played_ms += Math.max(0, Math.min(moved, at - this.#seen.at));
    }
    this.#seen = this.#media.seeking || this.#media.paused ? null : { place, at };
  }

  /** Takes a sample. One of a place that stood still says so under the token and time of its last movement. */
  #sample(event) {
    if (!this.#line || this.#left || this.#target !== null) return;
    const leaving = event === "stopped" || event === "failed";
    if (leaving && !this.#last) return; // nothing was played or sought: there is nothing to remember
    if (leaving && this.#media.readyState === 0) return this.#repeat(event); // torn down: its place is 0
    this.#count();
    if (event !== "seeked" && !this.#moved()) return this.#repeat(event);
    const { duration, playbackRate } = this.#media;
    this.#put({
      ...this.#line,
      elapsed_ms: Math.round(monotonic() - this.#line.asked),
      position_ms: this.#position(),
      duration_ms: Number.isFinite(duration) ? Math.round(duration * 1_000) : undefined,
      event,
      rate: playbackRate,
    });
  }

  #repeat(event) {
    if (this.#last) this.#put({ ...this.#last, event });
  }

  #put(sample) {
    const counted = { seq: ++this.#seq, played_ms: Math.round(this.#played_ms), deliberate: this.#deliberate };
    this.#last = { ...sample, ...counted, session: this.#id, taken: Date.now() };
    this.#playmark.take(this.#last, { now: sample.event !== "playing" });
  }

  #tell(name, detail) {
    return this.dispatchEvent(new CustomEvent(name, { detail, cancelable: true }));
  }
}
