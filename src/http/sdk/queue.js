/**
 * Samples and orders that no node has taken yet, in the order they were taken; each is mirrored on the disk, except
 * what is incognito. One more than `QUEUE_MAX` costs the least that can be lost.
 */
class Queue {
  #samples = [];
  #disk;
  #dropped;

  constructor(disk, dropped) {
    [this.#disk, this.#dropped] = [disk, dropped];
  }

  get length() {
    return this.#samples.length;
  }

  add(sample) {
    this.#samples.push(sample);
    this.#keep([sample]);
    this.#fit();
  }

  /** Takes up what earlier pages left. Their clocks are gone with them, so `asked` means nothing here. */
  takeUp(left) {
    const known = new Set(this.#samples.map(keyOf));
    const older = left.filter((sample) => !known.has(keyOf(sample))).map((sample) => ({ ...sample, asked: null }));
    older.sort((a, b) => a.taken - b.taken || a.seq - b.seq);
    this.#keep(this.#samples); // taken before there was a disk
    this.#samples = [...older, ...this.#samples];
    this.#fit();
  }

  remove(samples) {
    const gone = new Set(samples);
    this.#samples = this.#samples.filter((sample) => !gone.has(sample));
    this.#disk.forget(samples);
  }

  /** The oldest that can be sent, and what goes with it: samples under the same token, or orders. */
  batch() {
    const first = this.#samples.find((sample) => sample.token);
    if (!first) return [];
    const { token, profile } = first;
    const isLike = first.order ? (it) => it.order && it.profile === profile : (it) => !it.order && it.token === token;
    const most = Math.min(BATCH_MAX, Math.max(1, Math.floor(BATCH_BYTES_MAX / (token.length + SAMPLE_BYTES))));
    const batch = this.#samples.filter((sample) => sample.token && isLike(sample)).slice(0, most);
    return first.order ? batch : batch.sort((a, b) => a.seq - b.seq);
  }

  /** The last of a session that can be sent. */
  latest(session) {
    const isSaid = (sample) => sample.session === session && sample.token && !sample.order;
    return this.#samples.filter(isSaid).slice(-BEACON_MAX);
  }

  /** The lines of a profile that have no token, each with its samples. */
  undated(profile) {
    const lines = new Map();
    for (const sample of this.#samples.filter((it) => !it.token && it.profile === profile)) {
      const line = lineOf(sample);
      if (!lines.has(line)) lines.set(line, []);
      lines.get(line).push(sample);
    }
    return [...lines.values()].slice(0, LINES_MAX);
  }

  /** Gives samples a token, or takes it from them. */
  date(samples, token) {
    for (const sample of samples) sample.token = token;
    this.#keep(samples);
  }

  #keep(samples) {
    this.#disk.keep(samples.filter((sample) => !sample.incognito));
  }

  #fit() {
    const beyond = this.#samples.length - QUEUE_MAX;
    if (beyond <= 0) return;
    // Mere ticks after which their session has said more are the least that can be lost; then what is oldest.
    const last = new Map(this.#samples.map((sample) => [sample.session, sample]));
    const isSuperseded = (sample) => sample.event === "playing" && last.get(sample.session) !== sample;
    const victims = this.#samples.filter(isSuperseded).slice(0, beyond);
    const others = this.#samples.filter((sample) => !victims.includes(sample));
    const gone = [...victims, ...others.slice(0, beyond - victims.length)];
    this.remove(gone);
    gone.forEach(this.#dropped);
  }
}

/** Which line a sample was taken on: its session, and when the count began. */
const lineOf = ({ session, began }) => `${session} ${began}`;

