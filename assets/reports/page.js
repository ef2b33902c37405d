// Sorts a table by the column whose head is pressed: numbers and times by what they are, texts as people sort them.
// What is not known comes last whichever way. Pressed again, the other way round.
"use strict";
const texts = new Intl.Collator(document.documentElement.lang, { numeric: true });

function sort(head, down) {
  const body = head.closest("table").tBodies[0], index = head.cellIndex;
  const keyed = Array.from(body.rows, (row) => {
    const cell = row.cells[index];
    return [cell.classList.contains("u") ? null : cell.dataset.v ? Number(cell.dataset.v) : cell.textContent, row];
  });
  keyed.sort(([a], [b]) => {
    if (a === null || b === null) return (a === null) - (b === null);
    const order = typeof a === "number" && typeof b === "number" ? a - b : texts.compare(a, b);
    return down ? -order : order;
  });
  body.append(...keyed.map(([, row]) => row));
  for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
}

function press(head) {
  const down = head.getAttribute("aria-sort") === "ascending";
  sort(head, down);
  document.getElementById("said").textContent =
    `${head.closest("table").caption.textContent}: sorted by ${head.textContent}, ${down ? "descending" : "ascending"}`;
}

for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => press(button.closest("th")));
}
