// Refreshes every part of the page that names a fragment, every two seconds, while somebody is looking.
"use strict";

const EVERY = 2000;
const shown = new WeakMap();

async function refresh(part) {
  if (part.contains(document.activeElement)) return; // do not take away what somebody is about to press
  const answer = await fetch(part.dataset.refresh, { credentials: "same-origin", cache: "no-store" });
  if (answer.status === 401) return location.reload();
  if (!answer.ok) return;
  const text = await answer.text();
  if (shown.get(part) === text) return;
  shown.set(part, text);
  part.innerHTML = text;
}

async function round() {
  if (!document.hidden) {
    const parts = [...document.querySelectorAll("[data-refresh]")];
    await Promise.allSettled(parts.map(refresh));
  }
  setTimeout(round, EVERY);
}

setTimeout(round, EVERY);
