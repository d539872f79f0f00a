// A viewer: titles, sessions, why one of them won, and what each replica says.

import { headers } from "./live.js";
import { make, place, number } from "./text.js";
import { Timeline } from "./timeline.js";

const ANSWER_WITHIN_MS = 4_000;
const LOOK_EVERY_MS = 1_000;

export class Inspector {
  constructor(form, input, home) {
    [this.home, this.input, this.nodes] = [home, input, []];
    form.addEventListener("submit", (event) => { event.preventDefault(); this.titles(input.value); });
  }

  show(picture) {
    this.nodes = picture.nodes.filter((node) => node.url);
  }

  async titles(profile) {
    this.home.replaceChildren(make("p", { class: "quiet", role: "status" }, "looking …"));
    const path = `/v1/profiles/${encodeURIComponent(profile)}/history`;
    const answers = await Promise.all(this.nodes.map((node) => ask(node, path)));
    const contents = new Set(answers.flatMap(({ body }) => (body?.titles ?? []).map((title) => title.content)));
    const failed = answers.filter(({ why }) => why).map(({ node, why }) => `${node.name}: ${why}`);
    this.home.replaceChildren();
    if (failed.length) this.home.append(make("p", { class: "warn" }, failed.join("; ")));
    if (!contents.size) return this.home.append(make("p", {}, `No node knows of a title of ${profile}.`));
    const list = make("ul", { class: "titles", "aria-label": "Titles" });
    const replicas = make("div");
    for (const content of contents) {
      const button = make("button", { type: "button" }, content);
      button.addEventListener("click", () => this.title(profile, content, replicas));
      list.append(make("li", {}, button));
    }
    this.home.append(list, replicas);
    return this.title(profile, [...contents][0], replicas);
  }

  // Follows a title at every node, until another one is chosen.
  async title(profile, content, home) {
    const path = `/v1/profiles/${encodeURIComponent(profile)}/resume-points/${content.split("/").map(encodeURIComponent).join("/")}?explain=1`;
    const timeline = new Timeline(this.nodes.map((node) => node.name));
    const boxes = make("div", { class: "replicas" });
    home.replaceChildren(boxes, timeline.element);
    for (let shown = ""; home.contains(boxes) && home.isConnected; ) {
      const answers = document.hidden ? [] : await Promise.all(this.nodes.map((node) => ask(node, path)));
      if (answers.length) timeline.add(Date.now(), answers);
      const now = answers.map(({ node, body, why }) => `${node.name} ${body?.dot} ${body?.stale} ${why}`).join();
      if (answers.length && now !== shown) boxes.replaceChildren(...answers.map((answer) => replica(content, answer)));
      if (answers.length) shown = now;
      await new Promise((later) => setTimeout(later, LOOK_EVERY_MS));
    }
  }
}

function replica(content, { node, body, why }) {
  const box = make("article", { class: "replica", "data-replica": node.name }, make("h3", {}, `${content} at ${node.name}`));
  if (why && !body?.explanation) {
    box.append(make("p", { class: "warn" }, why));
    return box;
  }
  const goes = body.resume_position_ms === undefined ? "begins anew" : `goes on at ${place(body.resume_position_ms)}`;
  box.append(make("p", {}, make("strong", {}, goes), body.device ? ` (${body.device})` : "", body.stale ? " – stale: more was told elsewhere" : ""));
  const sessions = make("ul");
  for (const session of body.explanation?.sessions ?? []) {
    const where = session.place ? `${place(session.place.position_ms)}, ${session.place.device ?? "no device"}, ${session.place.event}` : "no place";
    const at = session.stamp ? new Date(session.stamp.time_ms).toISOString().replace("T", " ").slice(0, 19) : "";
    sessions.append(make("li", {}, make("strong", { class: session.verdict === "won" ? "good" : null }, session.verdict),
      ` ${where} · ${at} · played ${number((session.played_ms ?? 0) / 1_000)} s${session.engaged ? "" : ", not engaged"}`));
  }
  box.append(sessions);
  return box;
}

async function ask(node, path) {
  try {
    const response = await fetch(node.url + path, { headers: headers(), signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
    const body = await response.json();
    return { node, body, why: response.ok ? null : body.detail ?? body.title };
  } catch (error) {
    return { node, body: null, why: error.name === "TimeoutError" ? "does not answer" : "cannot be reached from this page" };
  }
}
