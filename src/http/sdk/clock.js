/** By a clock that nobody sets. It may stand still while the device sleeps. */
const monotonic = () => performance.now();

/** By a clock that may be years off. */
const wall = () => Date.now();

/** Tells when wall and monotonic clock have parted: the device slept, or somebody set it. */
class Sleep {
  #apart = wall() - monotonic();

  wasSince() {
    const apart = wall() - monotonic();
    if (Math.abs(apart - this.#apart) <= SLEPT_MS) return false;
    this.#apart = apart;
    return true;
  }
}

/** How long to wait before trying again. */
class Patience {
  #failures = 0;

  /** Between a half and the whole of what is due, so that players do not come back all at once. */
  next(least_ms = 0) {
    const due = Math.min(RETRY_MAX_MS, RETRY_MS * 2 ** this.#failures++);
    return Math.max(least_ms, due * (0.5 + Math.random() / 2));
  }

  renew() {
    this.#failures = 0;
  }
}

