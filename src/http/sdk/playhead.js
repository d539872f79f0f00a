/** Watches where a media element is, what of it was played, and what its viewer does. */
class Playhead {
  #media;
  #signal;
  #seen = null; // place and time at the last look, by which what was played is counted
  #target = null; // where a seek of our own leads
  #paused = null; // since when
  played_ms = 0;
  deliberate = false;

  /** `told` hears of `played`, `played on` after a long pause, `paused`, `seeked`, `ended`, `failed` and `gone`. */
  constructor(media, signal, told) {
    [this.#media, this.#signal] = [media, signal];
    const on = (name, handle) => media.addEventListener(name, handle, { signal });
    on("play", () => told(this.#playsOn() ? "played on" : "played"));
    on("pause", () => this.#pauses() && told("paused"));
    on("seeking", () => (this.#seen = null));
    on("seeked", () => this.#isSought() && told("seeked"));
    on("ended", () => told("ended"));
    on("error", () => told("failed"));
    on("timeupdate", () => this.count());
    on("emptied", () => told("gone"));
  }

  get position_ms() {
    return Math.round(this.#media.currentTime * 1_000);
  }

  get isPaused() {
    return this.#media.paused;
  }

  /** Whether the place says nothing, because a seek of our own leads elsewhere. */
  get isGoing() {
    return this.#target !== null;
  }

  get isSeeking() {
    return this.#media.seeking;
  }

  /** Whether there is nothing loaded, so that the place is 0 and means nothing. */
  get isEmpty() {
    return this.#media.readyState === 0;
  }

  /** Whether what was done is worth a session: less says nothing of where its viewer is. */
  get isEngaged() {
    return this.deliberate || this.played_ms >= GLIMPSE_MS;
  }

  /** What a sample says of the player. */
  get sample() {
    const { duration, playbackRate } = this.#media;
    const duration_ms = Number.isFinite(duration) ? Math.round(duration * 1_000) : undefined;
    return { position_ms: this.position_ms, duration_ms, rate: playbackRate };
  }

  /** Counts anew: what was played before had no session. */
  begin() {
    [this.played_ms, this.#seen] = [0, null];
  }

  /** Goes to a place without taking it for the viewer's own doing. */
  goTo(position_ms) {
    this.#target = position_ms / 1_000;
    const go = () => this.#target !== null && (this.#media.currentTime = this.#target);
    if (this.isEmpty) this.#media.addEventListener("loadedmetadata", go, { once: true, signal: this.#signal });
    else go();
  }

  /** Adds what was played since the last look: as much as the place has moved, and no more than time has. */
  count() {
    const [place, at] = [this.#media.currentTime, monotonic()];
    if (this.#seen && !this.#media.seeking) {
      const moved = ((place - this.#seen.place) * 1_000) / (this.#media.playbackRate || 1);
      this.played_ms += Math.max(0, Math.min(moved, at - this.#seen.at));
    }
    this.#seen = this.#media.seeking || this.#media.paused ? null : { place, at };
  }

  #playsOn() {
    const isLong = this.#paused !== null && wall() - this.#paused > LONG_PAUSE_MS;
    this.#paused = null;
    return isLong;
  }

  #pauses() {
    this.#paused = wall();
    this.count();
    this.#seen = null;
    return !this.#media.ended;
  }

  #isSought() {
    const isOurs = this.#target !== null && Math.abs(this.#media.currentTime - this.#target) < NEAR_S;
    this.#target = null;
    if (!isOurs) this.deliberate = true;
    return !isOurs;
  }
}

