// Keeps what is shown up to date: every second the page is fetched again, and the parts marked data-live are put in
// place of the old ones when they changed. Forms stay as they are, so nobody loses what they type.
"use strict";

const INTERVAL_MS = 1000;

function toTheEnd() {
  for (const part of document.querySelectorAll("[data-follow]")) part.scrollTop = part.scrollHeight;
}

async function refresh() {
  if (document.hidden) return;
  const answer = await fetch(location.href, { cache: "no-store" });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const old of document.querySelectorAll("[data-live]")) {
    const part = fresh.getElementById(old.id);
    if (!part || part.innerHTML === old.innerHTML) continue;
    const atTheEnd = old.scrollTop + old.clientHeight >= old.scrollHeight - 40;
    old.replaceChildren(...part.childNodes);
    if (atTheEnd && "follow" in old.dataset) old.scrollTop = old.scrollHeight;
  }
}

toTheEnd();
if (document.querySelector("[data-live]")) {
  // One after the other, however slow the answers are; a server that is away for a while comes back.
  const again = () => setTimeout(() => refresh().catch(() => {}).then(again), INTERVAL_MS);
  again();
}
