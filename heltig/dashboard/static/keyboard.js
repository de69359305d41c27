// Shortcuts on every page: "?" opens the help, "g" and a letter go to a page, "j" and "k" to the next row of a list
// and the one before. Whatever names a key as its own gets
// the focus by it: "/" the search in the head, "f" the filter of a list, "b" what is done with ticked studies.
"use strict";

// What a browser can be told, in the help: whether letters are shortcuts, which who speaks to it cannot have (WCAG
// 2.1.4), and whether pages follow what changes, which who reads slowly cannot have (WCAG 2.2.2).
function isOn(name) {
  return localStorage.getItem(name) !== "off";
}

// A box that is ticked takes no letters.
function isWriting(element) {
  return element.closest("input:not([type=checkbox], [type=radio]), select, textarea, [contenteditable]") !== null;
}

(() => {
  const WAIT = 1500; // milliseconds between "g" and its letter
  const help = document.getElementById("help");
  let since = -WAIT;

  const showUnfollowed = () => document.getElementById("unfollowed")?.toggleAttribute("hidden", isOn("live"));
  showUnfollowed();

  for (const box of document.querySelectorAll("[data-switch]")) {
    box.checked = isOn(box.dataset.switch);
    box.addEventListener("change", () => {
      localStorage.setItem(box.dataset.switch, box.checked ? "on" : "off");
      showUnfollowed();
    });
  }

  document.addEventListener("htmx:before:request", (event) => {
    if (event.detail.ctx.request.headers["Heltig-Poll"] && !isOn("live")) event.preventDefault();
  });

  // Narrow windows show a part of the places: the one where somebody is has to be in it.
  const here = document.querySelector(".top nav [aria-current]");
  here?.closest("nav").scrollTo({ left: here.offsetLeft - (window.innerWidth - here.offsetWidth) / 2 });

  function move(steps) {
    const rows = [...document.querySelectorAll(".row-link")];
    const at = rows.findIndex((link) => link.closest("tr") === document.activeElement.closest("tr"));
    const to = rows[Math.max(0, Math.min(rows.length - 1, at + steps))];
    to?.focus();
    to?.closest("tr").scrollIntoView({ block: "nearest" });
  }

  const open = () => help && !help.open && help.showModal();

  document.getElementById("help-opener")?.addEventListener("click", open);
  document.getElementById("help-closer")?.addEventListener("click", () => help.close());
  help?.addEventListener("click", (event) => {
    if (event.target === help) help.close(); // beside it
  });

  document.addEventListener("keydown", (event) => {
    if (!isOn("keys") || isWriting(event.target) || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || help?.open) return;
    const isSecond = event.timeStamp - since < WAIT;
    since = -WAIT;
    if (isSecond) {
      const place = [...document.querySelectorAll("[data-go]")].find((link) => link.dataset.go === event.key);
      if (place) {
        event.preventDefault();
        place.click();
      }
    } else if (event.key === "g") {
      since = event.timeStamp;
    } else if (event.key === "j" || event.key === "k") {
      move(event.key === "j" ? 1 : -1);
    } else if (event.key === "?") {
      event.preventDefault();
      open();
    } else {
      const field = document.querySelector(`[aria-keyshortcuts="${CSS.escape(event.key)}"]`);
      if (!field) return;
      event.preventDefault();
      field.closest("details")?.setAttribute("open", "");
      field.focus();
      if (field.matches("input")) field.select();
      else field.scrollIntoView({ block: "nearest" });
    }
  });
})();
