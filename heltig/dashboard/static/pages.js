// What htmx leaves to do: a list that could not be refreshed says so.
"use strict";

function showStale(stale) {
  document.getElementById("stale")?.toggleAttribute("hidden", !stale);
}

document.addEventListener("htmx:response:error", () => showStale(true));
document.addEventListener("htmx:error", () => showStale(true));
document.addEventListener("htmx:after:request", (event) => showStale(event.detail.ctx.response.status >= 400));
