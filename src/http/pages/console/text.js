// Numbers and elements, as the whole page has them.

const SVG = "http://www.w3.org/2000/svg";

// An element with what it has; texts stay texts.
export function make(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

// The same in a drawing.
export function draw(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

// Sets a text only where it is another, so that nothing that is selected or read aloud is torn away.
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export const nothing = "–";

export function number(value, digits = 0) {
  if (value === null || value === undefined) return nothing;
  return value.toLocaleString("en", { maximumFractionDigits: digits, minimumFractionDigits: digits });
}

// A duration in milliseconds, in the unit that suits it.
export function duration(ms) {
  if (ms === null || ms === undefined) return nothing;
  if (ms < 1_000) return `${number(ms, ms < 10 && ms % 1 ? 1 : 0)} ms`;
  if (ms < 120_000) return `${number(ms / 1_000, 1)} s`;
  if (ms < 7_200_000) return `${number(ms / 60_000)} min`;
  return `${number(ms / 3_600_000, 1)} h`;
}

export function bytes(count) {
  if (count === null || count === undefined) return nothing;
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (count >= 1_000 && unit < units.length - 1) { count /= 1_000; unit += 1; }
  return `${number(count, unit && count < 10 ? 1 : 0)} ${units[unit]}`;
}

// A place in a film, as players show it.
export function place(ms) {
  const seconds = Math.floor(ms / 1_000);
  const two = (value) => String(value).padStart(2, "0");
  const minutes = `${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return seconds >= 3_600 ? `${Math.floor(seconds / 3_600)}:${minutes}` : minutes;
}
