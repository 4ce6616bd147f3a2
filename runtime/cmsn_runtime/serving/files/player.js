// Plays the clip of an event in a window over the page.

import { fullTime, percent } from "./format.js";
import { when } from "./events.js";

const dialog = document.getElementById("player");
const video = document.getElementById("player-video");

export function play(event) {
  document.getElementById("player-title").textContent = event.source;
  const parts = [fullTime(when(event)), `${(event.end - event.start).toFixed(1)} s long`, `score ${percent(event.score)}`];
  document.getElementById("player-text").textContent = parts.join(" · ");
  const save = document.getElementById("player-save");
  save.href = video.src = `clips/${encodeURIComponent(event.clip)}`;
  save.download = event.clip;
  document.getElementById("player-fault").hidden = true;
  dialog.showModal();
  video.play().catch(() => {}); // a browser that forbids it shows its own button
}

function stop() {
  video.pause();
  video.removeAttribute("src");
  video.load();
}

video.addEventListener("error", () => {
  if (video.hasAttribute("src")) document.getElementById("player-fault").hidden = false;
});
document.getElementById("player-close").addEventListener("click", () => dialog.close());
dialog.addEventListener("close", stop);
dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close(); // beside it
});
