// Menu, filters, dialogs and the choice of colours. Everything works without it, by links and a form.
(() => {
  const isServed = document.body.dataset.form === "served";
  const root = document.documentElement;
  const main = () => document.querySelector("main");

  function dress(part) {
    words.apply(part);
    charts.apply(part);
  }

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
    charts.recolour();
  });

  // --- Definitions
  const dialog = document.createElement("dialog");
  document.body.append(dialog);
  dialog.addEventListener("click", ({ target }) => {
    if (target === dialog || target.closest(".close")) dialog.close();
  });

  function define(link) {
    const source = document.getElementById(decodeURIComponent(link.hash.slice(1)));
    if (!source) return false;
    const title = document.createElement("h2");
    title.id = "dialog-title";
    title.textContent = source.dataset.title;
    const close = document.createElement("button");
    close.className = "close";
    close.type = "button";
    close.textContent = "Close";
    const about = source.querySelector(".about").cloneNode(true);
    const rows = link.closest(".links").querySelector(".csv")?.cloneNode(true);
    dialog.setAttribute("aria-labelledby", title.id);
    dialog.replaceChildren(close, title, about);
    if (rows) {
      rows.textContent = "Rows as CSV";
      about.append(rows);
    }
    dialog.showModal();
    return true;
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a.how");
    if (link && define(link)) event.preventDefault();
  });

  // --- Pages of a self-contained file
  function open() {
    const key = decodeURIComponent(location.hash.slice(1));
    const wanted = document.getElementById(key)?.closest(".page");
    if (!wanted) return;
    for (const page of document.querySelectorAll(".page")) page.toggleAttribute("data-open", page === wanted);
    mark(`#${wanted.id}`);
    const title = wanted.querySelector("h1").textContent;
    document.title = `${title} · ${document.title.split(" · ").slice(1).join(" · ")}`;
    if (wanted.id === key) {
      scrollTo(0, 0);
      wanted.querySelector("h1").focus({ preventScroll: true });
    } else document.getElementById(key).scrollIntoView();
  }

  function mark(href) {
    for (const link of document.querySelectorAll(".menu a")) {
      if (link.getAttribute("href") === href) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    document.querySelector(".menu [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  // --- Pages of the server: only what differs is replaced
  let running = new AbortController();

  async function go(url, { isBack = false, isSame = false, focus = "" } = {}) {
    running.abort();
    running = new AbortController();
    if (!isSame) main().setAttribute("aria-busy", "true");
    let text;
    try {
      const response = await fetch(url, { signal: running.signal });
      if (!response.ok) throw new Error(String(response.status));
      text = await response.text();
    } catch (error) {
      if (error.name !== "AbortError" && !isSame) location.assign(url);
      return;
    }
    const fresh = new DOMParser().parseFromString(text, "text/html");
    if (!fresh.querySelector(".menu")) return location.assign(url);
    if (isSame && dialog.open) return;
    if (!isBack && !isSame) history.pushState(null, "", url);
    document.title = fresh.title;
    document.body.dataset.made = fresh.body.dataset.made;
    for (const part of [".menu", "main", ".foot"]) document.querySelector(part).replaceWith(fresh.querySelector(part));
    charts.forget();
    dress(document);
    if (focus) document.querySelector(focus)?.focus();
    else if (!isBack && !isSame) {
      scrollTo(0, 0);
      main().querySelector("h1")?.focus({ preventScroll: true });
    }
  }

  function address(form) {
    const chosen = new URLSearchParams();
    for (const [name, value] of new FormData(form)) if (value) chosen.append(name, value);
    const query = chosen.toString();
    return form.getAttribute("action") + (query ? `?${query}` : "");
  }

  // Newer figures replace the shown ones while nothing is being read in detail.
  async function refresh() {
    const isReading = dialog.open || document.activeElement?.closest(".filters") || document.querySelector("main details[open]");
    if (document.hidden || isReading) return;
    try {
      const { made_at: made } = await (await fetch("/healthz")).json();
      if (made && made !== document.body.dataset.made) await go(location.href, { isSame: true });
    } catch {
      // the dashboard was ended: the figures stay, with their time
    }
  }

  function serve() {
    setInterval(refresh, 30_000);
    document.addEventListener("click", (event) => {
      if (event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey || event.defaultPrevented) return;
      const link = event.target.closest(".menu a, .filters a, .marks a");
      if (!link || link.origin !== location.origin || link.getAttribute("href").startsWith("#")) return;
      event.preventDefault();
      const focus = link.closest(".periods") ? ".periods [aria-current]" : "";
      go(link.href, { focus });
    });
    document.addEventListener("submit", (event) => {
      if (!event.target.matches(".filters")) return;
      event.preventDefault();
      go(address(event.target), { focus: ".filters button" });
    });
    document.addEventListener("change", ({ target }) => {
      if (target.matches(".filters select")) go(address(target.form), { focus: `.filters [name="${target.name}"]` });
    });
    addEventListener("popstate", () => go(location.href, { isBack: true }));
  }

  if (isServed) serve();
  else {
    addEventListener("hashchange", open);
    if (location.hash) open();
  }
  dress(document);
  root.dataset.height = root.scrollHeight; // for pictures of the file
})();
