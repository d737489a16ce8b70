// Numbers and times in the reader's language. The server writes them in English.
const words = (() => {
  const language = navigator.language || "en";
  const formats = new Map();

  function plain(value, digits) {
    if (!formats.has(digits)) {
      formats.set(digits, new Intl.NumberFormat(language, { minimumFractionDigits: digits, maximumFractionDigits: digits }));
    }
    return formats.get(digits).format(value);
  }

  const dayFormat = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeZone: "UTC" });
  const shortDay = new Intl.DateTimeFormat(language, { day: "numeric", month: "short", timeZone: "UTC" });
  const timeFormat = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short", timeZone: "UTC" });

  // The same rules as in numbers.py.
  function share(value) {
    let percent = 100 * value;
    if (percent === 0 || percent === 100) return `${plain(percent, 0)} %`;
    if (percent > 0 && percent < 100) percent = Math.min(Math.max(percent, 0.1), 99.9);
    return `${plain(percent, 1)} %`;
  }

  const SPANS = [
    ["d", 86400],
    ["h", 3600],
    ["min", 60],
  ];

  function span(seconds) {
    const fitting = SPANS.find(([, length]) => seconds >= 2 * length);
    return fitting ? `${plain(seconds / fitting[1], 1)} ${fitting[0]}` : `${plain(seconds, 1)} s`;
  }

  // Labels of an axis need no digits that are zero.
  function tick(value, unit) {
    if (unit === "ratio") return `${new Intl.NumberFormat(language, { maximumFractionDigits: 1 }).format(100 * value)} %`;
    return number(value, unit).replace(/[.,]0+(?=$| )/, "");
  }

  function number(value, unit) {
    if (value === null || Number.isNaN(value)) return "–";
    if (unit === "ratio") return share(value);
    if (unit === "points") return `${plain(100 * value, 1)} pts`;
    if (unit === "count") return plain(value, 0);
    if (unit === "seconds") return span(value);
    return plain(value, 2);
  }

  const isDay = (text) => /^\d{4}-\d\d-\d\d$/.test(text);
  const day = (text, format = dayFormat) => (isDay(text) ? format.format(new Date(`${text}T00:00:00Z`)) : text);

  function apply(root) {
    for (const found of root.querySelectorAll("data[data-unit]")) {
      found.textContent = number(Number(found.value), found.dataset.unit);
    }
    for (const found of root.querySelectorAll("time[datetime]")) {
      const at = found.getAttribute("datetime");
      found.textContent = "day" in found.dataset ? day(at) : `${timeFormat.format(new Date(at))} UTC`;
    }
  }

  return { number, tick, day, short: (text) => day(text, shortDay), apply };
})();
