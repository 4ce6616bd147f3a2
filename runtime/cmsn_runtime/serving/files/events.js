// The list of events, newest first: what is reported again of an action changes its row.

import { ago, clock, fullTime, percent } from "./format.js";

const MOST = 200;
const NOTICES = {
  source_lost: ["lost", "Connection lost"], source_back: ["back", "Connection is back"], gap: ["gap", "Frames are missing"],
  overload: ["overload", "Machine too slow"], reset: ["reset", "Stream restarted"],
};

export class Events {
  constructor(list, onPlay) {
    this.list = list;
    this.onPlay = onPlay;
    this.rows = new Map(); // id -> {root, event}
    this.shows = "all";
  }

  // Forget all others; those that stay keep their place, and the reader's.
  keep(ids) {
    for (const [id, { root }] of this.rows) {
      if (ids.has(id)) continue;
      this.rows.delete(id);
      root.remove();
    }
  }

  add(event, { fresh = true } = {}) {
    let row = this.rows.get(event.id);
    if (!row) {
      row = { root: document.getElementById("event-template").content.cloneNode(true).firstElementChild };
      row.root.querySelector(".play").addEventListener("click", () => this.onPlay(row.event));
      row.root.toggleAttribute("data-new", fresh);
      row.root.dataset.id = event.id;
      this.rows.set(event.id, row);
      this.list.prepend(row.root);
    }
    row.event = { ...event, clip: event.clip ?? row.event?.clip };
    this.fill(row);
    this.trim();
  }

  setClip(id, name) {
    const row = this.rows.get(id);
    if (row) this.add({ ...row.event, clip: name });
  }

  fill({ root, event }) {
    const find = (selector) => root.querySelector(selector);
    const notice = NOTICES[event.kind];
    root.dataset.kind = event.kind;
    find(".what").textContent = event.source;
    find(".what").title = event.source;
    find(".kind").textContent = notice ? notice[0] : event.kind;
    find(".span").textContent = notice ? "" : `for ${(event.end - event.start).toFixed(1)} s`;
    const note = notice ? event.note || notice[1] : "";
    find(".event-note").textContent = note;
    find(".event-note").hidden = !note;
    find(".event-score").hidden = Boolean(notice) || event.kind === "withdrawn";
    if (!notice) {
      find(".score").textContent = percent(event.score);
      find("meter").value = event.score;
    }
    const play = find(".play");
    play.hidden = !event.clip;
    play.setAttribute("aria-label", `Play the clip of ${event.source}, ${clock(when(event))}`);
    root.hidden = !this.isShown(event);
    tickRow(root, event);
  }

  isShown(event) {
    return this.shows === "all" || (this.shows === "notices") === event.kind in NOTICES;
  }

  show(shows) {
    this.shows = shows;
    for (const { root, event } of this.rows.values()) root.hidden = !this.isShown(event);
  }

  tick() {
    for (const { root, event } of this.rows.values()) tickRow(root, event);
  }

  trim() {
    while (this.rows.size > MOST) {
      const [id, { root }] = this.rows.entries().next().value;
      this.rows.delete(id);
      root.remove();
    }
  }
}

// POSIX time of an event: when its action began, or when it was reported.
export function when(event) {
  return event.start_wall ?? event.wall;
}

function tickRow(root, event) {
  const time = root.querySelector(".ago");
  const posix = when(event);
  const text = `${clock(posix)} · ${ago(posix)}`;
  if (time.textContent === text) return;
  time.textContent = text;
  time.dateTime = new Date(posix * 1000).toISOString();
  time.title = fullTime(posix);
}
