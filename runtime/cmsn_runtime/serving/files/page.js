// The page: passes on what the server reports to the cards of the cameras and the list of events.

import { Camera } from "./camera.js";
import { Events } from "./events.js";
import { Feed } from "./feed.js";
import { STAGES, plural, setServerTime } from "./format.js";
import { play } from "./player.js";

const FRAME = matchMedia("(prefers-reduced-motion: reduce)").matches ? 1000 : 50; // milliseconds between two drawings
const LINKS = { live: "Live", away: "Reconnecting", connecting: "Connecting" };

const place = document.getElementById("cameras");
const cameras = new Map(); // name -> Camera
const events = new Events(document.getElementById("events"), play);

const handlers = {
  snapshot(message) {
    setServerTime(message.now);
    document.getElementById("site").textContent = message.site === "local" ? "" : message.site;
    document.title = message.site === "local" ? "cmsn" : `${message.site} · cmsn`;
    document.getElementById("networks").textContent = message.networks && `Networks: ${message.networks}`;
    document.getElementById("logout").hidden = !message.token;
    setCameras(message.cameras);
    for (const [name, camera] of cameras) camera.reset(message.stages[name], message.previews[name]);
    for (const [name, number] of Object.entries(message.pictures)) cameras.get(name)?.setPicture(number);
    events.keep(new Set(message.events.map((event) => event.id)));
    for (const event of message.events) addEvent(event, { fresh: false });
  },
  cameras: (message) => setCameras(message.cameras),
  picture: (message) => cameras.get(message.camera)?.setPicture(message.number),
  stage: (message) => cameras.get(message.camera)?.timeline.addRun(message.run),
  preview: (message) => cameras.get(message.camera)?.timeline.setPreview(message.runs),
  event: (message) => addEvent(message.event),
  clip: (message) => events.setClip(message.id, message.name),
};

function addEvent(event, options) {
  events.add(event, options);
  cameras.get(event.source)?.addEvent(event);
}

function setCameras(states) {
  const names = new Set(states.map((state) => state.name));
  for (const [name, camera] of cameras) {
    if (names.has(name)) continue;
    camera.root.remove();
    cameras.delete(name);
  }
  for (const state of states) {
    if (!cameras.has(state.name)) {
      cameras.set(state.name, new Camera(state.name));
      place.append(cameras.get(state.name).root);
    }
    cameras.get(state.name).setStatus(state);
  }
  summarize(states);
}

function summarize(states) {
  const lost = states.filter((state) => state.state === "lost").length;
  const acting = [...cameras.values()].filter((camera) => camera.action).map((camera) => camera.name);
  const parts = [plural(states.length, "camera"), lost ? `${lost} lost` : "", acting.length ? `action at ${acting.join(", ")}` : ""];
  const text = states.length ? parts.filter(Boolean).join(" · ") : "";
  const summary = document.getElementById("summary");
  if (summary.textContent !== text) summary.textContent = text;
}

function setLink(state) {
  const link = document.getElementById("link");
  if (link.dataset.state === state) return;
  link.dataset.state = state;
  link.textContent = LINKS[state];
  document.body.toggleAttribute("data-away", state === "away");
}

function showLegend() {
  for (const [index, name] of STAGES.entries()) {
    const item = document.createElement("li");
    item.textContent = name;
    item.style.setProperty("--colour", `var(--stage-${index})`);
    document.getElementById("legend").append(item);
  }
}

function chooseEvents(click) {
  const shows = click.target.dataset?.shows;
  if (!shows) return;
  for (const button of click.currentTarget.children) button.setAttribute("aria-pressed", String(button === click.target));
  events.show(shows);
}

function animate(last = 0) {
  requestAnimationFrame((now) => {
    if (now - last < FRAME) return animate(last);
    for (const camera of cameras.values()) camera.draw();
    animate(now);
  });
}

showLegend();
document.getElementById("filter").addEventListener("click", chooseEvents);
setInterval(() => {
  for (const camera of cameras.values()) camera.tick();
  events.tick();
}, 500);
animate();
new Feed((message) => handlers[message.type]?.(message), setLink);
