// The stream of what happens: connects, notices when the server is gone, and comes back by itself.

const SILENT = 6000; // milliseconds without a message; states come twice a second
const AGAIN = 1500;

export class Feed {
  constructor(onMessage, onState) {
    this.onMessage = onMessage;
    this.onState = onState;
    this.source = null;
    this.heard = 0;
    this.waiting = 0;
    setInterval(() => this.check(), 1000);
    // A page in the background holds no connection: a browser has six for each server, over all its tabs.
    document.addEventListener("visibilitychange", () => (document.hidden ? this.close() : this.open()));
    if (!document.hidden) this.open();
  }

  open() {
    this.close();
    this.heard = Date.now();
    this.source = new EventSource("events");
    this.source.onmessage = (message) => {
      this.heard = Date.now();
      this.onState("live");
      this.onMessage(JSON.parse(message.data));
    };
    this.source.onerror = () => {
      this.onState("away");
      if (this.source?.readyState === EventSource.CLOSED) this.later();
    };
  }

  close() {
    clearTimeout(this.waiting);
    this.source?.close();
    this.source = null;
  }

  // Refused, not cut: either the token is needed again, or the server is not ready.
  later() {
    this.close();
    this.waiting = setTimeout(async () => {
      const answer = await fetch("api/cameras").catch(() => null);
      if (answer?.status === 401) location.reload();
      else if (!document.hidden) this.open();
    }, AGAIN);
  }

  check() {
    if (!this.source || Date.now() - this.heard < SILENT) return;
    this.onState("away");
    this.open();
  }
}
