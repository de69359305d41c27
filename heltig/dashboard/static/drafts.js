// What somebody wrote is not lost when their session ended meanwhile: it is in its field again once they are back.
"use strict";

(() => {
  const FOR = 30 * 60 * 1000; // milliseconds that it is kept, in this tab alone
  const page = window.location.pathname + window.location.search.replace(/[?&]done=.*/, "");

  if (document.querySelector(".told")) sessionStorage.removeItem("draft"); // it was taken
  const draft = JSON.parse(sessionStorage.getItem("draft") ?? "{}");

  for (const field of document.querySelectorAll("textarea[data-draft]")) {
    if (draft.page === page && draft.name === field.name && Date.now() < draft.until) field.value ||= draft.text;
    field.form.addEventListener("submit", () => {
      sessionStorage.setItem("draft", JSON.stringify({ page, name: field.name, text: field.value, until: Date.now() + FOR }));
    });
  }
})();
