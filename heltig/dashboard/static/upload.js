// A file that is dropped on the form is sent at once, and how much of any that is sent is told.
// Without this the form is a plain one, with its button.
"use strict";

(() => {
  const form = document.getElementById("upload");
  const file = document.getElementById("file");
  const progress = document.getElementById("upload-progress");
  const told = document.getElementById("upload-told");
  let inside = 0; // elements of the form that something is dragged over

  const say = (text, wrong) => {
    told.textContent = text;
    told.classList.toggle("alarming", wrong);
  };

  const fail = (text) => {
    progress.hidden = true;
    form.removeAttribute("aria-busy");
    say(text, true);
  };

  const send = (zip) => {
    const body = new FormData();
    const target = document.getElementById("target");
    if (target) body.append("target", target.value); // before the file: what comes after it is not read in time
    body.append("file", zip, "upload.zip"); // names of files are often names of patients
    const request = new XMLHttpRequest();
    request.open("POST", form.action);
    request.upload.addEventListener("progress", (event) => {
      if (!event.lengthComputable) return;
      progress.max = event.total;
      progress.value = event.loaded;
      const percent = Math.floor((100 * event.loaded) / event.total);
      if (percent % 10 === 0) say(percent < 100 ? `${percent} % is sent.` : "All is sent. It is looked into.", false);
    });
    request.addEventListener("load", () => {
      if (request.status < 400) {
        window.location.assign(request.responseURL); // where the answer led to
        return;
      }
      const page = new DOMParser().parseFromString(request.responseText, "text/html");
      const why = page.getElementById("upload-told") ?? page.querySelector("main p:not(.blank-code)");
      fail(why?.textContent.trim() || "It was not taken.");
    });
    request.addEventListener("error", () => fail("Heltig did not answer. Send it again."));
    request.setRequestHeader("Accept", "text/html");
    progress.hidden = false;
    progress.value = 0;
    form.setAttribute("aria-busy", "true");
    say("It is being sent.", false);
    request.send(body);
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (file.files.length === 1) send(file.files[0]);
  });
  form.addEventListener("dragenter", (event) => {
    event.preventDefault();
    inside += 1;
    form.classList.add("drop-over");
  });
  form.addEventListener("dragleave", () => {
    inside -= 1;
    if (!inside) form.classList.remove("drop-over");
  });
  form.addEventListener("dragover", (event) => event.preventDefault());
  form.addEventListener("drop", (event) => {
    event.preventDefault();
    inside = 0;
    form.classList.remove("drop-over");
    const files = event.dataTransfer.files;
    if (files.length === 1) send(files[0]);
    else say("One ZIP at a time, please.", true);
  });
})();
