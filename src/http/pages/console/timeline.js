// What each replica has said of one title over the last minutes: where they part, and where they meet again.

import { draw, duration, make, place, say } from "./text.js";

const WIDTH = 960;
const HEIGHT = 200;
const LEFT = 64;
const BOTTOM = 22;
const SPAN_MS = 2 * 60_000;
const SPAN_LEAST_MS = 30_000;
const CHANGES_MAX = 30;
// A play that stands still is no flat line at the edge.
const LEAST_MS = 10_000;

export class Timeline {
  constructor(names) {
    this.replicas = names.map((name, index) => ({ name, points: [], dot: undefined, path: draw("path", { class: `replica-${index % 9}`, "stroke-width": width(index, names.length) }) }));
    [this.most, this.least] = [14, HEIGHT - BOTTOM].map((y) => draw("text", { class: "small", x: LEFT - 6, y, "text-anchor": "end" }));
    this.since = draw("text", { class: "small", x: LEFT, y: HEIGHT - 4 });
    this.began = null;
    const bottom = HEIGHT - BOTTOM;
    const plot = draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": "The place that each replica answered, over the last minutes" },
      draw("line", { class: "axis", x1: LEFT, x2: WIDTH, y1: bottom, y2: bottom }),
      draw("line", { class: "axis", x1: LEFT, x2: LEFT, y1: 8, y2: bottom }),
      ...this.replicas.map(({ path }) => path), this.most, this.least,
      this.since,
      draw("text", { class: "small", x: WIDTH - 2, y: HEIGHT - 4, "text-anchor": "end" }, "now"));
    const key = this.replicas.map(({ name }, index) => make("li", {},
      draw("svg", { viewBox: "0 0 28 10", class: "swatch", "aria-hidden": "true" }, draw("path", { class: `replica-${index % 9}`, d: "M0,5H28", "stroke-width": 4 })), name));
    this.changes = make("tbody");
    this.element = make("div", { class: "timeline" }, make("h3", {}, "History"),
      make("ul", { class: "key", "aria-label": "Replicas" }, ...key), make("div", { class: "lines" }, plot),
      make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Changes" },
        make("table", {}, make("thead", {}, make("tr", {}, ...["UTC", "Replica", "Place", "By"].map((text) => make("th", { scope: "col" }, text)))), this.changes)));
  }

  add(now, answers) {
    for (const replica of this.replicas) {
      const body = answers.find(({ node }) => node.name === replica.name)?.body;
      replica.points = replica.points.filter(([at]) => now - at <= SPAN_MS);
      // Whoever does not answer leaves a gap.
      replica.points.push([now, body ? body.position_ms ?? 0 : null]);
      if (body && body.dot !== replica.dot) this.change(now, replica, body);
    }
    this.paint(now);
  }

  change(now, replica, body) {
    replica.dot = body.dot;
    const by = body.dot ? `${body.event}${body.device ? `, ${body.device}` : ""}` : "nobody";
    this.changes.prepend(make("tr", {}, ...[new Date(now).toISOString().slice(11, 19), replica.name, body.dot ? place(body.position_ms) : "no place", by]
      .map((text) => make("td", {}, text))));
    while (this.changes.rows.length > CHANGES_MAX) this.changes.deleteRow(-1);
  }

  paint(now) {
    const known = this.replicas.flatMap(({ points }) => points.map(([, value]) => value)).filter((value) => value !== null);
    if (!known.length) return;
    const least = Math.min(...known);
    const most = Math.max(...known, least + LEAST_MS);
    say(this.least, place(least));
    say(this.most, place(most));
    this.began ??= now;
    const span = Math.min(Math.max(now - this.began, SPAN_LEAST_MS), SPAN_MS);
    say(this.since, `${duration(span)} ago`);
    const x = (at) => WIDTH - ((WIDTH - LEFT) * (now - at)) / span;
    const y = (value) => HEIGHT - BOTTOM - 6 - ((HEIGHT - BOTTOM - 20) * (value - least)) / (most - least);
    for (const { points, path } of this.replicas) {
      let pen = "M";
      const drawn = points.map(([at, value]) => {
        if (value === null) { pen = "M"; return ""; }
        const step = `${pen}${x(at).toFixed(1)},${y(value).toFixed(1)}`;
        pen = "L";
        return step;
      });
      path.setAttribute("d", drawn.join(""));
    }
  }
}

// Those behind are wider, so that all are seen where they lie on each other.
function width(index, count) {
  return 2 + 3 * Math.min(count - 1 - index, 4);
}
