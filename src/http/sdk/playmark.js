/** One viewer's connection to the nodes. */
export class Playmark extends EventTarget {
  #outbox;
  #owner;

  constructor({ profile, servers, credential, device, changes = false, store = "playmark" } = {}) {
    super();
    const tell = (name, detail) => this.dispatchEvent(new CustomEvent(name, { detail }));
    this.#owner = { profile, credential, device, changes, sessions: new Set(), tell };
    this.#outbox = new Outbox(this.#owner, servers?.length ? servers : [new URL(import.meta.url).origin], store);
    addEventListener("online", () => this.#online());
    addEventListener("pageshow", (event) => event.persisted && this.#back());
    addEventListener("pagehide", () => this.#each((session) => session.leave()));
    document.addEventListener("visibilitychange", () => {
      const isHidden = document.visibilityState === "hidden";
      this.#each((session) => (isHidden ? session.hide() : session.show()));
    });
    this.#outbox.missed();
  }

  /** How many samples no node has taken yet. */
  get waiting() {
    return this.#outbox.waiting;
  }

  /** The base URL of the node that is asked first. */
  get nearest() {
    return this.#outbox.nodes.nearest;
  }

  /** Follows a media element from here on, until its `detach` is called or another source is loaded. */
  attach(media, content, { series, incognito, resume = true } = {}) {
    const { profile, device, sessions } = this.#owner;
    const asked = { profile, content, device, series, incognito };
    const session = new Session(this.#owner, this.#outbox, media, asked, resume);
    sessions.add(session);
    return session;
  }

  /** Marks a title as watched, or as not; offline too, and then as of when it was ordered. */
  watched(content, watched = true) {
    this.#order(content, { watched });
  }

  /** Takes a title out of the row until it is played again; offline too. */
  dismiss(content) {
    this.#order(content, { dismissed: true });
  }

  /** Sends what waits, at once. */
  send() {
    return this.#outbox.send();
  }

  #order(content, order) {
    const isGiven = [...this.#owner.sessions].some((session) => session.order(content, order));
    if (!isGiven) this.#outbox.order(content, order);
  }

  #back() {
    this.#each((session) => session.back());
    this.#outbox.missed();
  }

  #each(act) {
    [...this.#owner.sessions].forEach(act);
  }

  #online() {
    this.#outbox.renew();
    this.#outbox.send().then(() => this.#outbox.missed());
    this.#each((session) => session.revalidate("online"));
  }
}
