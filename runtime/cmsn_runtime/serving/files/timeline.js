// The last minute of a camera: its proposals above, the stages below, now at the right edge.

import { STAGES, ago, clock, percent, serverNow } from "./format.js";

const SHOWN = 60; // seconds
const HEIGHT = 84;
const LANES = { proposal: [8, 20], stage: [36, 26], axis: 76 }; // [top, height] in CSS pixels; the axis' base line
const KEPT_RUNS = 400;
const JUMP = 3; // seconds by which the camera's clock may be off before it is followed at once
const EASE = 0.15;

let colours = {};

function readColours() {
  const style = getComputedStyle(document.documentElement);
  const value = (name) => style.getPropertyValue(name).trim();
  colours = {
    stages: STAGES.map((_, index) => value(`--stage-${index}`)),
    accent: value("--accent"), onAccent: value("--accent-text"), card: value("--card"),
    sunk: value("--sunk"), line: value("--line"), soft: value("--soft"), bad: value("--bad"),
  };
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", readColours);
readColours();

export class Timeline {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.runs = []; // [stage, start, end] in seconds on the camera's clock: settled
    this.preview = []; // the same: they may still change
    this.actions = new Map(); // id -> event
    this.offset = null; // camera's seconds - performance.now() in seconds
    this.seconds = null; // newest time on the camera's clock
    this.live = false;
    this.lost = false;
  }

  reset(runs, preview) {
    this.runs = runs;
    this.preview = preview;
    this.actions.clear();
  }

  // What the one before showed stays where its segment ended unsettled.
  setPreview(runs) {
    if (this.preview.length && runs.length && this.preview.at(-1)[2] <= runs[0][1]) {
      const settled = this.runs.at(-1)?.[2] ?? 0;
      this.runs.push(...this.preview.filter(([, start]) => start >= settled));
    }
    this.preview = runs;
  }

  addRun(run) {
    const last = this.runs.at(-1);
    if (last && last[1] === run[1]) this.runs[this.runs.length - 1] = run;
    else this.runs.push(run);
    if (this.runs.length > KEPT_RUNS) this.runs.shift();
  }

  addAction(event) {
    this.actions.set(event.id, event);
    for (const [id, old] of this.actions) if (old.end < this.edge() - 2 * SHOWN) this.actions.delete(id);
  }

  setStatus(camera) {
    this.live = camera.state === "running" || camera.state === "lost";
    this.lost = camera.state === "lost";
    if (camera.seconds === null || camera.seconds === this.seconds) return;
    this.seconds = camera.seconds;
    const found = camera.seconds - performance.now() / 1000;
    const off = this.offset === null ? Infinity : found - this.offset;
    this.offset = Math.abs(off) > JUMP ? found : this.offset + EASE * off;
  }

  // Time of the camera's clock at the right edge: it goes on between two reports, and through an outage.
  edge() {
    if (this.offset === null) return this.seconds ?? 0;
    return this.live ? this.offset + performance.now() / 1000 : this.seconds;
  }

  stageNow() {
    const last = this.preview.at(-1) ?? this.runs.at(-1);
    return last && !this.lost && this.edge() - last[2] < 10 ? last[0] : null;
  }

  describe() {
    const stage = this.stageNow();
    const recent = [...this.actions.values()].filter((event) => event.kind !== "withdrawn" && event.end > this.edge() - SHOWN);
    return `Timeline of the last ${SHOWN} seconds. Stage: ${stage === null ? "unknown" : STAGES[stage]}. Actions: ${recent.length}.`;
  }

  // What lies at a horizontal position, in words.
  readAt(x) {
    const seconds = this.edge() - SHOWN * (1 - x / this.canvas.clientWidth);
    const when = serverNow() - (this.edge() - seconds);
    const run = [...this.runs, ...this.preview].find(([, start, end]) => start <= seconds && seconds < end);
    const action = [...this.actions.values()].find((event) => event.start <= seconds && seconds <= event.end && event.kind !== "withdrawn");
    const parts = [clock(when), ago(when), run ? STAGES[run[0]] : "", action ? `action ${percent(action.score)}` : ""];
    return parts.filter(Boolean).join(" · ");
  }

  draw() {
    const { canvas, context } = this;
    const width = canvas.clientWidth;
    const scale = devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(HEIGHT * scale)) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(HEIGHT * scale);
    }
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, HEIGHT);
    const edge = this.edge();
    const x = (seconds) => width * (1 - (edge - seconds) / SHOWN);
    this.drawAxis(width);
    this.drawStages(x, width, edge);
    for (const event of this.actions.values()) if (event.end > edge - SHOWN) this.drawAction(x, event, width);
  }

  drawAxis(width) {
    const { context } = this;
    context.font = "10.5px system-ui, sans-serif";
    context.textBaseline = "alphabetic";
    const every = width < 340 ? 20 : 10;
    for (let back = every; back < SHOWN; back += every) {
      const at = width * (1 - back / SHOWN);
      context.fillStyle = colours.line;
      context.fillRect(Math.round(at), 4, 1, LANES.axis - 14);
      context.fillStyle = colours.soft;
      context.textAlign = "center";
      context.fillText(`−${back} s`, at, LANES.axis);
    }
    context.fillStyle = colours.soft;
    context.textAlign = "right";
    context.fillText("now", width - 6, LANES.axis);
  }

  drawStages(x, width, edge) {
    const { context } = this;
    const [top, height] = LANES.stage;
    context.fillStyle = colours.sunk;
    context.fillRect(0, top, width, height);
    for (const [stage, start, end] of [...this.preview, ...this.runs]) {
      if (end < edge - SHOWN) continue;
      const left = Math.max(0, x(start));
      context.fillStyle = colours.stages[stage];
      context.fillRect(left, stage ? top : top + height / 2 - 3, Math.max(1, x(end) - left), stage ? height : 6);
    }
    if (this.lost && this.seconds !== null) this.hatch(x(this.seconds), top, width, height);
  }

  hatch(left, top, right, height) {
    const { context } = this;
    context.save();
    context.beginPath();
    context.rect(Math.max(0, left), top, right - Math.max(0, left), height);
    context.clip();
    context.strokeStyle = colours.bad;
    context.globalAlpha = 0.45;
    context.lineWidth = 1.5;
    context.beginPath();
    for (let at = Math.floor(left / 8) * 8 - height; at < right; at += 8) {
      context.moveTo(at, top + height);
      context.lineTo(at + height, top);
    }
    context.stroke();
    context.restore();
  }

  drawAction(x, event, width) {
    const { context } = this;
    const [top, height] = LANES.proposal;
    const left = x(event.start) + 1;
    const length = Math.max(5, x(event.end) - x(event.start) - 2);
    const settled = event.kind === "final";
    context.save();
    context.globalAlpha = event.kind === "withdrawn" ? 0.3 : 1;
    context.beginPath();
    context.roundRect(left, top, length, height, 5);
    context.fillStyle = settled ? colours.accent : colours.card;
    context.fill();
    context.strokeStyle = colours.accent;
    context.lineWidth = 1.5;
    context.setLineDash(settled ? [] : [4, 3]);
    context.stroke();
    context.fillStyle = settled ? colours.onAccent : colours.accent;
    context.font = "600 11px system-ui, sans-serif";
    context.textAlign = "center";
    context.textBaseline = "middle";
    const text = event.kind === "withdrawn" ? "" : percent(event.score);
    const seen = Math.min(width, left + length) - Math.max(0, left);
    if (context.measureText(text).width + 6 < seen) context.fillText(text, Math.max(0, left) + seen / 2, top + height / 2 + 0.5);
    context.restore();
  }
}
