// "/" goes to the filter, Escape empties it. Filtering itself is htmx's work, told in the page.
"use strict";

document.addEventListener("keydown", (event) => {
  const text = document.getElementById("text");
  const writing = event.target.closest("input, select, textarea");
  if (event.key === "/" && text && !writing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    text.focus();
    text.select();
  }
});
