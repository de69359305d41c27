// Leafs through the slices of an analysis. Without it, they stand side by side.
"use strict";

for (const slices of document.querySelectorAll(".slices")) {
  const pictures = [...slices.querySelectorAll("ol > li")];
  const leaf = slices.querySelector(".leaf");
  const range = leaf.querySelector("input");
  const told = leaf.querySelector("output");

  function show() {
    const at = Number(range.value) - 1;
    pictures.forEach((picture, place) => picture.classList.toggle("current", place === at));
    const words = pictures[at].querySelector("figcaption").textContent;
    range.setAttribute("aria-valuetext", words);
    told.textContent = `${at + 1} / ${pictures.length}`;
  }

  function step(by) {
    range.value = String(Number(range.value) + by);
    show();
  }

  range.addEventListener("input", show);
  slices.querySelector("ol").addEventListener(
    "wheel",
    (event) => {
      if (event.ctrlKey || !event.shiftKey) return; // the page scrolls, and zooms
      event.preventDefault();
      step(event.deltaY + event.deltaX > 0 ? 1 : -1);
    },
    { passive: false },
  );
  leaf.hidden = false;
  slices.classList.add("leafing");
  show();
  for (const picture of slices.querySelectorAll("img")) picture.loading = "eager";
}
