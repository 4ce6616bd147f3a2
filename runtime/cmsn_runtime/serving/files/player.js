// Plays the clip of an event in a window over the page.

import { fullTime, percent } from "./format.js";
import { when } from "./events.js";

const dialog = document.getElementById("player");
const video = document.getElementById("player-video");

export function play(event) {
  document.getElementById("player-title").textContent = event.source;
  const parts = [fullTime(when(event)), `${(event.end - event.start).toFixed(1)} s long`, `score ${percent(event.score)}`];
  document.getElementById("player-text").textContent = parts.join(" · ");
  video.src = `clips/${event.clip.split("/").map(encodeURIComponent).join("/")}`;
  dialog.showModal();
  video.play().catch(() => {}); // a browser that forbids it shows its own button
}

function stop() {
  video.pause();
  video.removeAttribute("src");
  video.load();
}

document.getElementById("player-close").addEventListener("click", () => dialog.close());
dialog.addEventListener("close", stop);
dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close(); // beside it
});
