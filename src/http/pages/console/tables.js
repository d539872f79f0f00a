// Nodes, links and viewers' figures, each cell kept in its place.

import { bytes, duration, make, nothing, number, say } from "./text.js";

// A table whose rows come and go by name; what stays is not made anew.
class Table {
  constructor(table, columns) {
    this.columns = columns;
    const heads = columns.map(({ name, kind }) => make("th", { scope: "col", class: kind }, name));
    this.body = make("tbody");
    table.append(make("thead", {}, make("tr", {}, ...heads)), this.body);
    this.rows = new window.Map();
  }

  show(rows) {
    const names = new Set(rows.map((row) => row.key));
    for (const [key, cells] of this.rows) {
      if (!names.has(key)) { cells[0].parentElement.remove(); this.rows.delete(key); }
    }
    for (const row of rows) {
      let cells = this.rows.get(row.key);
      if (!cells) {
        cells = this.columns.map(({ kind }, index) => make(index ? "td" : "th", index ? { class: kind } : { scope: "row" }));
        this.body.append(make("tr", { "data-row": row.key }, ...cells));
        this.rows.set(row.key, cells);
      }
      row.cells.forEach((cell, index) => {
        const { text, tone } = typeof cell === "string" ? { text: cell } : cell;
        say(cells[index], text);
        cells[index].classList.remove("good", "warn", "bad");
        if (tone) cells[index].classList.add(tone);
      });
    }
  }
}

const TONES = { up: "good", starting: "warn", paused: "warn", dialing: "warn", down: "bad", unknown: "warn" };

export class Nodes {
  constructor(table) {
    const column = (name, kind = "") => ({ name, kind });
    this.table = new Table(table, [
      column("Node"), column("Region"), column("State"), column("Heartbeats/s", "number"), column("Behind", "words"),
      column("On disk", "number"), column("Clock", "number"), column("Inbox", "number"), column("Up for", "number"), column("Alarms", "words"),
    ]);
  }

  show(picture) {
    this.table.show(picture.nodes.map((node) => {
      const behind = node.lag.filter((lag) => lag.lag_ms > 0).map((lag) => `${lag.from} ${duration(lag.lag_ms)}`);
      const state = node.readiness === "caught-up" || node.readiness === "unknown" ? node.state : `${node.state}, ${node.readiness}`;
      const clock = node.clock_offset_ms;
      return { key: node.name, cells: [
        node.name, node.region, { text: state, tone: TONES[node.state] }, number(node.heartbeats_per_s, 1),
        node.lag.length ? behind.join(", ") || "nobody" : nothing, bytes(node.storage_bytes),
        clock === null || clock === undefined ? nothing : { text: `${clock > 0 ? "+" : ""}${number(clock)} ms`, tone: Math.abs(clock) > 1_000 ? "bad" : undefined },
        node.inbox ? `${number(node.inbox.len)} of ${number(node.inbox.max)}` : nothing, duration(node.uptime_ms),
        node.alarms.length ? { text: node.alarms.join("; "), tone: "bad" } : "none",
      ] };
    }));
  }
}

export class Links {
  constructor(table) {
    const column = (name, kind = "") => ({ name, kind });
    this.table = new Table(table, [
      column("Link"), column("State"), column("Round trip", "number"), column("Sent a second", "number"), column("Behind", "number"), column("Seen there, p50", "number"), column("p99", "number"), column("Last error", "words"),
    ]);
  }

  show(picture) {
    const lag = new window.Map(picture.nodes.map((node) => [node.name, new window.Map(node.lag.map((it) => [it.from, it.lag_ms]))]));
    this.table.show(picture.links.map((link) => ({ key: `${link.from} ${link.to}`, cells: [
      `${link.from} → ${link.to}`, { text: link.state, tone: TONES[link.state] }, duration(link.rtt_ms), bytes(link.bytes_per_s),
      duration(lag.get(link.to)?.get(link.from)), ...seen(picture, link), link.last_error ?? "none",
    ] })));
  }
}

// How long after its acknowledgement a report is seen at the other end, region by region.
function seen(picture, link) {
  const region = (name) => picture.nodes.find((node) => node.name === name)?.region;
  const pair = picture.viewers?.visible_ms?.find(({ from, to }) => from === region(link.from) && to === region(link.to));
  return [duration(pair?.p50 ?? null), duration(pair?.p99 ?? null)];
}

export class Viewers {
  constructor(list, none) {
    [this.list, this.none, this.cells] = [list, none, new window.Map()];
  }

  show(picture) {
    const viewers = picture.viewers;
    this.none.hidden = Boolean(viewers);
    this.list.hidden = !viewers;
    if (!viewers) return;
    const ms = (figures, name) => duration(figures?.[name] ?? null);
    this.figure("watching", number(viewers.watching));
    this.figure("heartbeats/s", number(viewers.heartbeats_per_s, 1));
    this.figure("acknowledged, p50", ms(viewers.ack_ms, "p50"));
    this.figure("acknowledged, p99", ms(viewers.ack_ms, "p99"));
    this.figure("acknowledged, p99.9", ms(viewers.ack_ms, "p999"));
    this.figure("went on elsewhere", number(viewers.resumes));
    this.figure("told wrong", number(viewers.wrong_resumes), viewers.wrong_resumes ? "bad" : "good");
    this.figure("told stale", number(viewers.stale_resumes), viewers.stale_resumes ? "warn" : undefined);
    this.figure("acknowledged and lost", number(viewers.acknowledged_lost), viewers.acknowledged_lost ? "bad" : "good");
    this.figure("took another region", number(viewers.failed_over));
    this.figure("failed starts", number(viewers.failed_starts));
    this.figure("watched offline", number(viewers.watched_offline));
    this.figure("reported twice", number(viewers.repeated));
    const visible = (viewers.visible_ms ?? []).map((pair) => pair.p50);
    this.figure("seen elsewhere, p50 of the best", visible.length ? duration(Math.min(...visible)) : nothing);
    this.figure("seen elsewhere, p50 of the worst", visible.length ? duration(Math.max(...visible)) : nothing);
  }

  figure(name, text, tone) {
    let cell = this.cells.get(name);
    if (!cell) {
      cell = make("dd");
      this.cells.set(name, cell);
      this.list.append(make("div", {}, make("dt", {}, name), cell));
    }
    say(cell, text);
    cell.className = tone ?? "";
  }
}
