"use strict";
// Check boxes show and hide what lies over the images, everywhere at once.
for (const box of document.querySelectorAll("input[data-class]")) {
  const show = () => document.body.classList.toggle(box.dataset.class, box.checked === (box.dataset.when === "on"));
  box.addEventListener("change", show);
  show(); // a browser may have kept the box of an earlier visit
}
// A click on the head of a column sorts; another one turns the order round.
for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => {
    const head = button.parentElement;
    const body = head.closest("table").tBodies[0];
    const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    const key = (row) => row.cells[head.cellIndex].dataset.value ?? row.cells[head.cellIndex].textContent;
    const compare = (a, b) => (isNaN(a) || isNaN(b) ? a.localeCompare(b, undefined, { numeric: true }) : a - b);
    const rows = [...body.rows].sort((a, b) => sign * compare(key(a), key(b)));
    for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
    body.append(...rows);
  });
}
