// The card of one camera: its picture, its timeline, its health.

import { STAGES, clock, counting, fullTime, lag, lasting, percent, serverNow } from "./format.js";
import { Timeline } from "./timeline.js";

const SLOW_LAG = 1; // seconds
const TITLES = { opening: "Connecting", lost: "Connection lost", ended: "Ended", running: "Waiting for the first picture" };
const SINCE = { opening: "Connecting", running: "Running", lost: "Lost", ended: "Ended" };
const PICTURE_LIMIT = 5000; // milliseconds; an answer that takes longer is not waited for

export class Camera {
  constructor(name) {
    this.name = name;
    this.root = document.getElementById("camera-template").content.cloneNode(true).firstElementChild;
    this.find(".name").textContent = name;
    this.find(".name").title = name;
    this.root.setAttribute("aria-label", `Camera ${name}`);
    this.timeline = new Timeline(this.find("canvas"));
    this.image = this.find("img");
    this.image.alt = `Newest picture of ${name}`;
    this.action = null; // the event of an action that is under way
    this.wanted = 0; // number of the newest picture; loading: since when one is being fetched
    this.shown = 0;
    this.loading = 0;
    this.seen = true;
    new IntersectionObserver(([entry]) => { this.seen = entry.isIntersecting; }).observe(this.root);
    this.listen();
  }

  find(selector) {
    return this.root.querySelector(selector);
  }

  listen() {
    this.image.addEventListener("load", () => this.onPicture(true));
    this.image.addEventListener("error", () => this.onPicture(false));
    const readout = this.find(".readout");
    const canvas = this.timeline.canvas;
    canvas.addEventListener("pointermove", (event) => {
      const text = document.createElement("span");
      text.textContent = this.timeline.readAt(event.offsetX);
      readout.style.textAlign = event.offsetX > canvas.clientWidth / 2 ? "left" : "right";
      readout.replaceChildren(text);
    });
    canvas.addEventListener("pointerleave", () => readout.replaceChildren());
  }

  setStatus(camera) {
    this.status = camera;
    this.root.dataset.state = camera.state;
    this.timeline.setStatus(camera);
    this.find(".cover-title").textContent = TITLES[camera.state];
    this.field("rate", camera.state === "running" ? `${camera.frames_per_second.toFixed(1)} fps` : "–");
    this.field("lag", camera.state === "running" ? lag(camera.lag_seconds) : "–", camera.lag_seconds > SLOW_LAG ? "warn" : "");
    const cut = camera.left_out ? ` · ${camera.left_out} left out` : "";
    this.field("losses", `${camera.losses}${cut}`, cut ? "warn" : "");
    this.find("[data-field='losses']").title = `${camera.losses} losses, ${camera.returns} returns, ${camera.gaps} gaps, ${camera.overloads} overloads, ${camera.left_out} frames left out`;
    this.find("[data-field='since-label']").textContent = SINCE[camera.state];
    this.find("[data-field='since']").title = `Since ${fullTime(camera.since)}`;
    this.tick();
  }

  field(name, text, level = "") {
    const place = this.find(`[data-field='${name}']`);
    place.textContent = text;
    place.dataset.level = level;
  }

  // What changes with time alone; several times a second.
  tick() {
    const camera = this.status;
    if (!camera) return;
    const time = serverNow() - camera.since;
    this.field("since", camera.state === "ended" ? clock(camera.since) : lasting(time), camera.state === "lost" ? "bad" : "");
    this.find(".cover-text").textContent = camera.state === "lost" ? [`${counting(time)} without a picture`, camera.reason].filter(Boolean).join(" · ") : camera.reason;
    const stage = this.timeline.stageNow();
    const label = this.find(".stage");
    label.textContent = stage === null ? "" : STAGES[stage];
    label.style.setProperty("--colour", stage === null ? "transparent" : `var(--stage-${stage})`);
    this.timeline.canvas.setAttribute("aria-label", this.timeline.describe());
    if (this.loading && Date.now() - this.loading > PICTURE_LIMIT) this.onPicture(false);
    this.fetch();
  }

  reset(runs = [], preview = []) {
    this.timeline.reset(runs, preview);
    this.setAction(null);
  }

  addEvent(event) {
    if (event.start === null) return;
    this.timeline.addAction(event);
    const open = event.kind === "provisional" || event.kind === "revised";
    if (open) this.setAction(event);
    else if (this.action?.id === event.id) this.setAction(null);
  }

  setAction(event) {
    this.action = event;
    const alert = this.find(".alert");
    alert.hidden = !event;
    this.root.toggleAttribute("data-acting", Boolean(event));
    if (event) alert.textContent = `Action · ${percent(event.score)}`;
  }

  setPicture(number) {
    this.wanted = number;
    this.fetch();
  }

  // One picture at a time, and only where it can be seen: a slow link then shows fewer of them.
  fetch() {
    if (this.loading || this.wanted === this.shown || !this.seen || document.hidden) return;
    this.loading = Date.now();
    this.shown = this.wanted;
    this.image.src = `cameras/${encodeURIComponent(this.name)}.jpg?${this.wanted}`;
  }

  onPicture(good) {
    this.loading = 0;
    if (!good) return;
    this.image.hidden = false;
    this.find(".picture").toggleAttribute("data-shown", true);
    this.fetch();
  }

  draw() {
    if (this.seen) this.timeline.draw();
  }
}
