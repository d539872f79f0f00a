// Two players of one viewer, each at a node of one's choice.

import { Playmark } from "/sdk/playmark.js";
import { headers } from "./live.js";
import { make, place, say } from "./text.js";

const PROFILE = "console";
const CONTENT = "ten-minutes";

export class Players {
  constructor(home) {
    this.players = ["left", "right"].map((side) => new Player(home, side));
  }

  show(picture) {
    const nodes = picture.nodes.filter((node) => node.url);
    // The right one begins in another region than the left one, where there is another.
    const other = nodes.find((node) => node.region !== nodes[0]?.region) ?? nodes[0];
    this.players.forEach((player, index) => player.choices(nodes, index ? other : nodes[0]));
  }
}

class Player {
  constructor(home, side) {
    this.side = side;
    this.select = make("select", { "aria-label": `Node of the ${side} player` });
    this.play = make("button", { type: "button", class: "play" }, "Play");
    this.stop = make("button", { type: "button", class: "stop", disabled: "" }, "Stop");
    this.told = make("p", { class: "told resumed", role: "status" }, "not started");
    this.screen = make("div");
    home.append(make("article", { class: "player", "data-side": side, "aria-label": `${side} player` },
      make("div", { class: "bar" }, make("label", {}, "Attached to ", this.select), this.play, this.stop), this.screen, this.told));
    this.video();
    this.play.addEventListener("click", () => this.start());
    this.stop.addEventListener("click", () => this.end());
    this.key = "";
  }

  // A fresh element for each session: it ends with its source.
  video() {
    this.film = make("video", { controls: "", muted: "", playsinline: "", preload: "metadata", "aria-label": `Film on the ${this.side}` });
    this.film.muted = true;
    this.screen.replaceChildren(this.film);
  }

  choices(nodes, preferred) {
    const key = nodes.map((node) => node.name).join(" ");
    if (key === this.key) return;
    const chosen = this.select.value || preferred?.url;
    this.select.replaceChildren(...nodes.map((node) => make("option", { value: node.url }, `${node.name} (${node.region})`)));
    this.select.value = chosen;
    this.key = key;
  }

  start() {
    this.end();
    const server = this.select.value;
    if (!server) return say(this.told, "no node can be reached from this page");
    const options = { profile: PROFILE, device: `${this.side} player`, servers: [server], store: `console-${this.side}` };
    const shown = headers().authorization;
    if (shown) options.credential = shown.replace(/^Bearer /, "");
    this.playmark = new Playmark(options);
    this.playmark.addEventListener("problem", ({ detail }) => say(this.told, `${detail.kind}: ${detail.detail ?? ""}`));
    this.film.src = "/console/film.webm";
    this.session = this.playmark.attach(this.film, CONTENT);
    this.session.addEventListener("opened", ({ detail }) => { if (!detail.resume) say(this.told, `began at 0:00 at ${this.name()}`); });
    this.session.addEventListener("resume", ({ detail }) => {
      say(this.told, `resumed at ${place(detail.resume_position_ms)} at ${this.name()}${detail.stale ? ", which may not know all" : ""}`);
      this.told.dataset.ms = detail.resume_position_ms;
    });
    this.film.play().catch(() => say(this.told, "the browser does not let it play by itself: press play in the film"));
    [this.select.disabled, this.stop.disabled] = [true, false];
    return say(this.play, "Start again");
  }

  end() {
    if (!this.session) return;
    this.film.pause();
    this.session.detach();
    this.session = null;
    this.video();
    [this.select.disabled, this.stop.disabled] = [false, true];
    say(this.play, "Play");
  }

  name() {
    return this.select.selectedOptions[0]?.textContent ?? "a node";
  }
}
