// Runs before the page is drawn: the reader's choice of light or dark, so that no page flashes.
(() => {
  const root = document.documentElement;
  root.classList.add("has-script");
  try {
    const chosen = localStorage.getItem("theme");
    if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;
  } catch {
    // storage is blocked: the system's setting is used
  }
})();
