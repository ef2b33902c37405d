// Lets the page say its age: what was last seen grows old also when no new page comes. The words are those of
// overview.py. The clock is the viewer's. Reads the page again and keeps what was sorted and where the focus was
// (WCAG 2.2, 3.2.5 and F41); sort() is that of page.js.
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

// What can have the focus, by what it says and the table it stands in: the next page has other rows.
function called(element) {
  return [element.tagName, element.closest("table")?.caption.textContent, element.getAttribute("aria-labelledby"),
    element.textContent.slice(0, 200)].join("|");
}

function keep() {
  const sorted = Array.from(document.querySelectorAll("[aria-sort]"), (head) => [
    called(head), head.getAttribute("aria-sort") === "descending"]);
  const focus = document.activeElement === document.body ? null : called(document.activeElement);
  const open = Array.from(document.querySelectorAll("details[open]"), called);
  sessionStorage.setItem("kept", JSON.stringify({ sorted, focus, open, at: [scrollX, scrollY] }));
}

function restore() {
  const kept = JSON.parse(sessionStorage.getItem("kept"));
  sessionStorage.removeItem("kept");
  if (!kept) return;
  const all = (selector, names) => Array.from(document.querySelectorAll(selector)).filter((e) => names.includes(called(e)));
  for (const [name, down] of kept.sorted) for (const head of all("thead th", [name])) sort(head, down);
  for (const details of all("details", kept.open)) details.open = true;
  all("button, summary, [tabindex]", [kept.focus])[0]?.focus({ preventScroll: true });
  scrollTo(...kept.at);
}

function again() {
  try { keep(); } catch { /* A browser that keeps nothing reads the page all the same. */ }
  location.reload();
}

tell();
setInterval(tell, 5000);
try { restore(); } catch { /* Nothing was kept. */ }
setTimeout(again, Number(page.dataset.refresh) * 1000);
