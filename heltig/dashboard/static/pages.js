// What htmx leaves to do: "/" goes to the filter, and a list that could not be refreshed says so.
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

function showStale(stale) {
  document.getElementById("stale")?.toggleAttribute("hidden", !stale);
}

document.addEventListener("htmx:response:error", () => showStale(true));
document.addEventListener("htmx:error", () => showStale(true));
document.addEventListener("htmx:after:request", (event) => showStale(event.detail.ctx.response.status >= 400));
