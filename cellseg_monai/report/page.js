"use strict";
// Check boxes show and hide layers on all images of the page.
for (const box of document.querySelectorAll("input[data-class]")) {
  const show = () => document.body.classList.toggle(box.dataset.class, box.checked === (box.dataset.when === "on"));
  box.addEventListener("change", show);
  show(); // browsers can restore the state of a check box from an earlier visit
}
// Clicking a column heading sorts the table by that column; clicking again reverses the order.
for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => {
    const head = button.parentElement;
    const body = head.closest("table").tBodies[0];
    const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    const key = (row) => row.cells[head.cellIndex].dataset.value ?? row.cells[head.cellIndex].textContent;
    const compare = (a, b) => (isNaN(a) || isNaN(b) ? a.localeCompare(b, undefined, { numeric: true }) : a - b);
    const rows = [...body.rows].sort((a, b) => sign * compare(key(a), key(b)));
    for (const cell of head.parentElement.cells) cell.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
    body.append(...rows);
  });
}
