// The list of studies: its ticks, and its rows as they come.
"use strict";

(() => {
  const EVERY = 5000; // milliseconds between looks for news
  const results = () => document.getElementById("results");
  const ticks = () => [...document.querySelectorAll(".at-tick input")];
  const isTick = (element) => element.matches(".at-tick input");

  // Keyboard: x ticks. Enter opens what has the focus, as everywhere.

  document.addEventListener("keydown", (event) => {
    const isElsewhere = isWriting(event.target) || event.target.closest("button, dialog");
    if (isElsewhere || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.defaultPrevented || document.getElementById("help")?.open) return;
    if (event.key === "Enter" && isTick(event.target)) {
      event.preventDefault(); // it would send the form
      event.target.closest("tr").querySelector(".row-link").click();
    } else if (isOn("keys") && event.key === "x") {
      document.activeElement.closest("tr")?.querySelector(".at-tick input")?.click();
    }
  });

  // Each step of filtering is one entry of the history; what is typed letter by letter is one step. The list's
  // answers put their address in place of the entry that is shown.

  let typedIn = null;

  function step() {
    history.replaceState({ htmx: true }, "");
    history.pushState({ htmx: true }, "", window.location.href);
  }

  const filters = document.getElementById("filters");
  filters?.addEventListener("focusout", () => (typedIn = null));
  filters?.addEventListener("input", (event) => {
    if (event.target === typedIn) return;
    if (event.target.matches("input")) typedIn = event.target;
    step();
  });

  // Ticks outlive new rows, and a session that ended before they were sent.

  const kept = JSON.parse(sessionStorage.getItem("ticks") ?? "[]");
  sessionStorage.removeItem("ticks");
  const isDone = document.querySelector(".told") !== null;
  for (const tick of isDone ? [] : ticks()) tick.checked ||= kept.includes(tick.value);
  document.addEventListener("submit", (event) => {
    if (event.target.matches(".ticking")) sessionStorage.setItem("ticks", JSON.stringify([...ticked]));
  });

  let ticked = new Set();

  function count() {
    ticked = new Set(ticks().filter((tick) => tick.checked).map((tick) => tick.value));
    const label = document.getElementById("ticked");
    if (label) label.textContent = `${ticked.size} ticked`;
  }

  function tickAgain() {
    for (const tick of ticks()) tick.checked = ticked.has(tick.value);
    count();
  }

  document.addEventListener("change", (event) => isTick(event.target) && count());
  document.addEventListener("htmx:after:swap", tickAgain);
  document.addEventListener("htmx:after:request", () => setTimeout(tickAgain));
  window.addEventListener("pageshow", count);

  // Rows as they come: what is asked every few seconds is a number, the list only when it is another one.

  async function look() {
    const asked = results()?.dataset.news;
    if (!asked || document.hidden || !isOn("live")) return;
    try {
      const answer = await fetch(asked, { headers: { "Heltig-Poll": "true" } });
      if (answer.status === 200) results().dispatchEvent(new CustomEvent("heltig:news"));
      showStale(answer.status >= 400);
    } catch {
      showStale(true); // and asked again: it may be starting anew
    }
  }

  setInterval(look, EVERY);
  document.addEventListener("visibilitychange", look);

  document.getElementById("copy-address")?.addEventListener("click", async (event) => {
    const button = event.currentTarget;
    const address = new URL(window.location.href);
    for (const name of ["done", "studies", "left"]) address.searchParams.delete(name);
    try {
      await navigator.clipboard.writeText(address.href);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Copy it from the bar above";
    }
  });
})();
