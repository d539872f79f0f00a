// The console: puts each picture that comes into its parts.

import { Inspector } from "./inspector.js";
import { follow, order, show } from "./live.js";
import { Map } from "./map.js";
import { Players } from "./players.js";
import { Plot } from "./plot.js";
import { Links, Nodes, Viewers } from "./tables.js";
import { say } from "./text.js";

const by = (id) => document.getElementById(id);
const LINES_MAX = 200;

const log = by("log");
let lab = false;

function note(line) {
  const lines = log.textContent.split("\n").filter(Boolean);
  lines.push(...line.split("\n"));
  log.textContent = lines.slice(-LINES_MAX).join("\n");
  log.scrollTop = log.scrollHeight;
}

async function give(words, described) {
  note(`> ${described}`);
  try {
    await order(words, note);
  } catch (error) {
    note(`the laboratory does not answer: ${error.message}`);
  }
}

const map = new Map(by("map"), (one, other, state) => {
  if (state === "cut" || state === "half") give({ heal: { from: one, to: other } }, `heal ${one} ${other}`);
  else give({ cut: { from: one, to: other, one_way: false } }, `cut ${one} ${other}`);
});
const parts = [
  map,
  new Plot(by("plot"), by("divergence")),
  new Viewers(by("viewers"), by("no-viewers")),
  new Nodes(by("nodes")),
  new Links(by("links")),
  new Players(by("players")),
  new Inspector(by("inspect-form"), by("inspect-profile"), by("inspector")),
];

by("heal").addEventListener("click", () => give({ heal: {} }, "heal"));
by("check").addEventListener("click", () => give("check", "check"));
by("access-form").addEventListener("submit", (event) => { event.preventDefault(); show(by("credential").value); });

// What a node draws of itself names no address: it is the one that this page came from.
function located(picture) {
  for (const node of picture.nodes) {
    if (!node.url && node.name === picture.drawn_by) node.url = location.origin;
  }
  return picture;
}

function picture(drawn) {
  const located_ = located(drawn);
  if (lab !== Boolean(drawn.lab)) {
    lab = Boolean(drawn.lab);
    for (const id of ["heal", "check", "log"]) by(id).hidden = !lab;
    say(by("map-hint"), lab ? "Click a line to cut it, and again to heal it." : "What this node knows of its cluster.");
  }
  say(by("cluster"), drawn.lab ? `${drawn.cluster}, ${drawn.lab.topology}` : `${drawn.cluster}, as ${drawn.drawn_by} sees it`);
  for (const part of parts) part.show(located_);
}

function state(name, told) {
  by("live").dataset.state = name;
  const words = name === "live" ? `live, ${new Date(told.at_ms).toISOString().slice(11, 19)} UTC` : `the connection is lost: ${told}`;
  say(by("live"), words);
}

const theme = by("theme");
const dark = window.matchMedia("(prefers-color-scheme: dark)");
function paint(name) {
  document.documentElement.dataset.theme = name;
  say(theme, name === "dark" ? "Light" : "Dark");
  theme.setAttribute("aria-label", `Switch to ${name === "dark" ? "light" : "dark"}`);
}
paint(dark.matches ? "dark" : "light");
dark.addEventListener("change", () => paint(dark.matches ? "dark" : "light"));
theme.addEventListener("click", () => paint(document.documentElement.dataset.theme === "dark" ? "light" : "dark"));

follow(picture, state);
