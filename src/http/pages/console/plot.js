// How far apart replicas are, over the last minutes.

import { draw, duration, say } from "./text.js";

const WIDTH = 460;
const HEIGHT = 170;
const LEFT = 58;
const BOTTOM = 22;
const SPAN_MS = 5 * 60_000;
// What is younger than the page is all of the plot, once it is this much.
const SPAN_LEAST_MS = 60_000;

export class Plot {
  constructor(home, figure) {
    this.figure = figure;
    this.points = [];
    this.area = draw("path", { class: "area" });
    this.curve = draw("path", { class: "curve" });
    this.most = draw("text", { class: "small", x: LEFT - 6, y: 16, "text-anchor": "end" });
    this.since = draw("text", { class: "small", x: LEFT, y: HEIGHT - 4 });
    const y = HEIGHT - BOTTOM;
    home.append(draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": "Divergence over the last minutes" },
      draw("line", { class: "axis", x1: LEFT, x2: WIDTH, y1: y, y2: y }),
      draw("line", { class: "axis", x1: LEFT, x2: LEFT, y1: 8, y2: y }),
      this.area, this.curve, this.most,
      draw("text", { class: "small", x: LEFT - 6, y: y + 4, "text-anchor": "end" }, "0"),
      this.since,
      draw("text", { class: "small", x: WIDTH - 2, y: HEIGHT - 4, "text-anchor": "end" }, "now")));
  }

  show(picture) {
    const known = picture.divergence.map((pair) => pair.behind_ms);
    const worst = known.length ? Math.max(...known) : null;
    say(this.figure, duration(worst));
    const now = picture.at_ms;
    this.points = this.points.filter(([at]) => now - at <= SPAN_MS && at <= now);
    this.points.push([now, worst ?? 0]);
    const top = scale(Math.max(...this.points.map(([, value]) => value)));
    say(this.most, duration(top));
    const span = Math.max(now - this.points[0][0], SPAN_LEAST_MS);
    say(this.since, `${duration(span)} ago`);
    const x = (at) => WIDTH - ((WIDTH - LEFT) * (now - at)) / span;
    const y = (value) => HEIGHT - BOTTOM - ((HEIGHT - BOTTOM - 12) * value) / top;
    const path = this.points.map(([at, value], index) => `${index ? "L" : "M"}${x(at).toFixed(1)},${y(value).toFixed(1)}`).join("");
    this.curve.setAttribute("d", path);
    this.area.setAttribute("d", `${path}L${WIDTH},${y(0)}L${x(this.points[0][0]).toFixed(1)},${y(0)}Z`);
  }
}

// The least round value that is not below, and at least a second.
function scale(value) {
  let top = 1_000;
  while (top < value) top *= String(top)[0] === "2" ? 2.5 : 2;
  return top;
}
