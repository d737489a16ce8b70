// Colours, fresh figures, and the upload of a file. The pages work without it, by links and forms.
"use strict";

(() => {
  const EVERY_MS = 2000;
  const root = document.documentElement;
  const $ = (id) => document.getElementById(id);

  // --- Colours
  const theme = document.querySelector(".theme");
  theme.hidden = false;
  theme.querySelector(`[value="${root.dataset.theme ?? "auto"}"]`).checked = true;
  theme.addEventListener("change", ({ target }) => {
    if (target.value === "auto") delete root.dataset.theme;
    else root.dataset.theme = target.value;
    try {
      localStorage.setItem("theme", target.value);
    } catch {
      // storage is blocked: the choice lasts as long as the page
    }
  });

  // --- On a narrow screen, the menu is scrolled to the present page
  document.querySelector(".menu [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });

  // --- What a button has done is said once, not again when the page is loaded again
  const here = new URL(location.href);
  if (here.searchParams.has("said")) {
    here.searchParams.delete("said");
    history.replaceState(null, "", here);
  }

  // --- Fresh figures: parts that changed are replaced, unless they are being read or used
  function isUsed(part) {
    const chosen = getSelection();
    const isChosen = chosen && !chosen.isCollapsed && chosen.containsNode(part, true);
    const active = document.activeElement;
    return isChosen || (part.contains(active) && active.tagName !== "SUMMARY");
  }

  const sameIn = (newer, details) => newer.querySelector(`#${CSS.escape(details.id)}`);

  function put(fresh) {
    for (const part of document.querySelectorAll("[data-live]")) {
      const newer = fresh.getElementById(part.id);
      if (!newer || isUsed(part)) continue;
      for (const open of part.querySelectorAll("details[open]")) sameIn(newer, open)?.setAttribute("open", "");
      if (part.outerHTML === newer.outerHTML) continue;
      const focused = part.contains(document.activeElement) && sameIn(newer, document.activeElement.closest("details"));
      part.replaceWith(document.adoptNode(newer));
      if (focused) focused.querySelector("summary").focus({ preventScroll: true });
    }
  }

  async function refresh() {
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, signal: AbortSignal.timeout(10 * EVERY_MS) });
      if (answer.ok) put(new DOMParser().parseFromString(await answer.text(), "text/html"));
      $("lost").hidden = true;
    } catch {
      $("lost").hidden = false;
    }
  }

  async function keepFresh() {
    if (!document.hidden) await refresh();
    setTimeout(keepFresh, EVERY_MS);
  }

  if ("live" in document.body.dataset) setTimeout(keepFresh, EVERY_MS); // a page about an error stays
  addEventListener("sandbox-changed", refresh);

  // --- A fixture from a file: it can be larger than a form may be
  const upload = $("upload");
  if (upload) {
    const file = upload.querySelector("[type=file]");
    const problem = upload.querySelector(".problem");
    upload.querySelector(".file").hidden = false;
    upload.addEventListener("submit", async (event) => {
      if (!file.files.length) return;
      event.preventDefault();
      problem.hidden = true;
      try {
        const answer = await fetch(upload.dataset.to, { method: "POST", body: file.files[0] });
        if (answer.ok) return location.assign(upload.dataset.then);
        problem.textContent = (await answer.json()).error;
      } catch {
        problem.textContent = "The file could not be sent. Is the sandbox still running?";
      }
      problem.hidden = false;
    });
  }
})();
