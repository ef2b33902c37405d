// Lets the page say its age: what was last seen grows old also when no new page comes. The words are those of
// overview.py. The clock is the viewer's.
"use strict";
const page = document.querySelector("main"), limit = Number(page.dataset.staleAfter);

function ago(seconds) {
  if (seconds < 10) return "just now";
  if (seconds < 120) return `${Math.floor(seconds)} seconds ago`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} minutes ago`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} hours ago`;
  return `${Math.floor(seconds / 86400)} days ago`;
}

function tell() {
  const now = Date.now() / 1000, late = [];
  for (const age of document.querySelectorAll("[data-seen]")) {
    const seconds = now - Number(age.dataset.seen), stale = seconds > limit;
    age.textContent = (stale && age.dataset.source ? "stale: " : "") + ago(seconds);
    age.closest("[data-fresh]")?.setAttribute("data-fresh", stale ? "no" : "yes");
    if (stale && age.dataset.source) late.push(age.dataset.source);
  }
  const names = Array.from(document.querySelectorAll("[data-never]"), (never) => never.dataset.never);
  const banner = document.getElementById("stale"), all = [...new Set([...late, ...names])];
  banner.hidden = all.length === 0;
  page.dataset.late = banner.hidden ? "no" : "yes";
  document.getElementById("stale-sources").textContent = all.join(", ");
}

tell();
setInterval(tell, 5000);
