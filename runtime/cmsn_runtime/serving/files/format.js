// Times, lengths and names as people read them.

export const STAGES = ["Background", "Ready", "Start", "Confirm", "End", "Follow"];

let skew = 0; // seconds that the server's clock is ahead of this browser's

export function setServerTime(now) {
  skew = now - Date.now() / 1000;
}

// POSIX seconds on the server's clock.
export function serverNow() {
  return Date.now() / 1000 + skew;
}

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });

export function clock(posix) {
  return (serverNow() - posix < 20 * 3600 ? CLOCK : DAY).format(posix * 1000);
}

export function fullTime(posix) {
  return FULL.format(posix * 1000);
}

export function ago(posix) {
  const seconds = serverNow() - posix;
  return seconds < 3 ? "just now" : `${lasting(seconds)} ago`;
}

// A duration in its largest unit, such as "12 s" or "3 h".
export function lasting(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 100) return `${whole} s`;
  if (whole < 100 * 60) return `${Math.round(whole / 60)} min`;
  if (whole < 48 * 3600) return `${Math.round(whole / 3600)} h`;
  return `${Math.round(whole / 86400)} days`;
}

// A duration that runs, such as "1:05".
export function counting(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

export function lag(seconds) {
  return seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(1)} s`;
}

export function percent(score) {
  return `${Math.round(score * 100)} %`;
}

export function plural(count, noun) {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
