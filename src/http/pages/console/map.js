// The map: regions on an ellipse, their nodes within, and the lines between them.

import { draw, duration, say } from "./text.js";

const WIDTH = 960;
// On a phone a few regions stand closer together, so that all are seen and can be read.
const NARROW = 420;
const HEIGHT = 440;
// Two regions stand beside each other.
const HEIGHT_OF_TWO = 190;
// Beyond so many regions, what is written on lines would lie on other lines; it is in the table below.
const LABELLED_MAX = 4;

export class Map {
  constructor(home, act) {
    this.act = act;
    this.svg = draw("svg", { role: "group", "aria-label": "Map of the cluster" });
    this.lines = draw("g");
    this.regions = draw("g");
    this.svg.append(this.lines, this.regions);
    home.append(this.svg);
    this.phone = window.matchMedia("(max-width: 48rem)");
    this.phone.addEventListener("change", () => { if (this.picture) this.show(this.picture); });
    this.key = "";
  }

  show(picture) {
    this.picture = picture;
    const regions = [...new Set(picture.nodes.map((node) => node.region))];
    const key = JSON.stringify([regions, picture.nodes.map((node) => node.name), Boolean(picture.lab), this.phone.matches]);
    // Made anew only where regions or nodes come or go, so that whoever is about to click finds what was there.
    if (key !== this.key) this.build(regions, picture);
    this.key = key;
    for (const line of this.drawn) line.update(picture);
    for (const node of picture.nodes) this.node(node);
  }

  build(regions, picture) {
    this.lines.replaceChildren();
    this.regions.replaceChildren();
    this.drawn = [];
    this.radius = regions.length > LABELLED_MAX ? 30 : 52;
    this.labelled = regions.length <= LABELLED_MAX;
    this.height = regions.length <= 2 ? HEIGHT_OF_TWO : HEIGHT;
    this.width = this.labelled && this.phone.matches ? NARROW : WIDTH;
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${this.height}`);
    this.svg.classList.toggle("many", !this.labelled);
    this.places = Object.fromEntries(spots(regions.length, this.width, this.height).map((place, index) => [regions[index], place]));
    regions.forEach((one, index) => {
      for (const other of regions.slice(index + 1)) this.drawn.push(this.line(one, other, Boolean(picture.lab)));
    });
    for (const name of regions) this.region(name, picture.nodes.filter((node) => node.region === name));
  }

  region(name, nodes) {
    const { x, y } = this.places[name];
    const group = draw("g", { class: "region" }, draw("circle", { cx: x, cy: y, r: this.radius }));
    const below = y > this.height / 2 ? y + this.radius + 18 : y - this.radius - 8;
    group.append(draw("text", { x, y: below, "text-anchor": "middle" }, name));
    nodes.forEach((node, index) => {
      const angle = (2 * Math.PI * index) / nodes.length - Math.PI / 2;
      const off = nodes.length > 1 ? this.radius * 0.52 : 0;
      const [cx, cy] = [x + off * Math.cos(angle), y + off * Math.sin(angle)];
      const title = draw("title");
      const mark = draw("g", { class: "node", "data-node": node.name }, draw("circle", { cx, cy, r: nodes.length > 4 ? 7 : 10 }), title);
      group.append(mark);
    });
    this.regions.append(group);
  }

  node(node) {
    const mark = this.regions.querySelector(`[data-node="${CSS.escape(node.name)}"]`);
    if (!mark) return;
    mark.dataset.state = node.state;
    say(mark.querySelector("title"), `${node.name}: ${node.state}, ${node.readiness}`);
  }

  line(one, other, acts) {
    const [a, b] = [this.places[one], this.places[other]];
    // Bent away from the middle, so that lines of many regions do not lie on each other.
    const [mx, my] = [(a.x + b.x) / 2, (a.y + b.y) / 2];
    const [cx, cy] = [mx + (mx - this.width / 2) * 0.18, my + (my - this.height / 2) * 0.18];
    const d = `M${a.x},${a.y} Q${cx},${cy} ${b.x},${b.y}`;
    const label = draw("text", { class: "small halo", x: (mx + cx) / 2, y: (my + cy) / 2 + 4, "text-anchor": "middle" });
    const title = draw("title");
    const group = draw("g", { class: "line", "data-line": `${one} ${other}` },
      draw("path", { d, class: "reach" }), draw("path", { d }), label, title);
    if (acts) {
      group.setAttribute("role", "button");
      group.setAttribute("tabindex", "0");
      const act = () => this.act(one, other, group.dataset.state);
      group.addEventListener("click", act);
      group.addEventListener("keydown", (event) => {
        if (event.key === "Enter" || event.key === " ") { event.preventDefault(); act(); }
      });
    }
    this.lines.append(group);
    const update = (picture) => {
      const { state, words } = stateOf(picture, one, other);
      group.dataset.state = state;
      if (this.labelled) say(label, words);
      say(title, `${one} – ${other}: ${words}`);
      const does = state === "cut" || state === "half" ? "heal" : "cut";
      group.setAttribute("aria-label", `${one} and ${other}: ${state}, ${words}${acts ? `; press to ${does}` : ""}`);
    };
    return { update };
  }
}

// Places on an ellipse, stretched until they fill the map.
function spots(count, width, height) {
  if (count === 1) return [{ x: width / 2, y: height / 2 }];
  const turn = count === 2 ? Math.PI : -Math.PI / 2;
  const places = [...Array(count).keys()].map((index) => {
    const angle = turn + (2 * Math.PI * index) / count;
    return { x: Math.cos(angle), y: Math.sin(angle) };
  });
  return stretched(stretched(places, "x", Math.min(110, width / 6), width - Math.min(110, width / 6)), "y", 92, height - 92);
}

function stretched(places, axis, from, to) {
  const values = places.map((place) => place[axis]);
  const [least, most] = [Math.min(...values), Math.max(...values)];
  if (most - least < 1e-6) return places.map((place) => ({ ...place, [axis]: (from + to) / 2 }));
  return places.map((place) => ({ ...place, [axis]: from + ((place[axis] - least) * (to - from)) / (most - least) }));
}

function stateOf(picture, one, other) {
  const region = Object.fromEntries(picture.nodes.map((node) => [node.name, node.region]));
  const between = (from, to) => (from === one && to === other) || (from === other && to === one);
  const lines = picture.lines.filter((line) => between(line.from, line.to));
  const links = picture.links.filter((link) => between(region[link.from], region[link.to]));
  const trips = links.map((link) => link.rtt_ms).filter((trip) => typeof trip === "number");
  const words = trips.length ? `${duration(Math.min(...trips))} round trip` : "no round trip";
  const cut = lines.filter((line) => line.cut).length;
  if (lines.length && cut === lines.length) return { state: "cut", words: "cut" };
  if (cut) return { state: "half", words: `cut ${lines.find((line) => line.cut).from} → ${lines.find((line) => line.cut).to}` };
  if (links.length && links.every((link) => link.state !== "up")) return { state: "down", words: "no link" };
  const lossy = lines.filter((line) => line.slowed && line.loss_percent >= 1);
  if (lossy.length) return { state: "lossy", words: `${words}, loses ${Math.max(...lossy.map((line) => line.loss_percent))} %` };
  if (lines.some((line) => line.slowed)) return { state: "slow", words };
  return { state: "up", words };
}
