// Times of a served dashboard in headless Chromium, as JSON: node dashboard_times.mjs URL REPEATS PAGE…
// `first` is when the first page was painted and when it had figures, in milliseconds since 1970. By page: first
// contentful paint and load of a new page, and the time from a choice in the menu or a filter to the painted page.
import { execFileSync } from "node:child_process";
import { chromium } from "playwright-core";

const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const READING_MS = 900_000;
const PATIENCE_MS = 60_000;

const [url, repeats, ...pages] = process.argv.slice(2);

function executable() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  for (const name of ["chromium", "chromium-browser", "google-chrome"]) {
    try {
      return execFileSync("which", [name], { encoding: "utf8" }).trim();
    } catch {
      // the next one
    }
  }
  throw new Error("Install Chromium (Debian: chromium), or set CHROMIUM to its path.");
}

/** First contentful paint and end of the load event, in milliseconds after the navigation began. */
const ofLoad = () =>
  new Promise((resolve) => {
    const look = () => {
      const [paint] = performance.getEntriesByName("first-contentful-paint");
      const [load] = performance.getEntriesByType("navigation");
      if (paint && load.loadEventEnd) resolve({ paint: paint.startTime, load: load.loadEventEnd, at: performance.timeOrigin });
      else setTimeout(look, 20);
    };
    look();
  });

/** Milliseconds from a choice to the first frame after the new figures are in the page. */
const ofChoice = ([selector, value]) =>
  new Promise((resolve) => {
    const before = document.querySelector("main");
    const chosen = document.querySelector(selector);
    const began = performance.now();
    const watch = new MutationObserver(() => {
      if (document.querySelector("main") === before) return;
      watch.disconnect();
      requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - began), 0));
    });
    watch.observe(document.body, { childList: true, subtree: true });
    if (value === undefined) return chosen.click();
    chosen.value = value;
    chosen.dispatchEvent(new Event("change", { bubbles: true }));
  });

const browser = await chromium.launch({ executablePath: executable(), args: ARGUMENTS });
const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
context.setDefaultTimeout(PATIENCE_MS);
const page = await context.newPage();

async function opened(path) {
  await page.goto(url + path, { waitUntil: "load" });
  return page.evaluate(ofLoad);
}

/** The choices of filters: some countries, then methods and actions, and a period. */
async function choices() {
  const values = (name) =>
    page.$$eval(`.filters select[name="${name}"] option`, (options) => options.map((each) => each.value).filter(Boolean));
  const found = [];
  for (const [name, most] of [["country", 3], ["method", 2], ["action", 2]])
    for (const value of (await values(name)).slice(0, most)) found.push([`.filters select[name="${name}"]`, value]);
  if (await page.$(".periods li:nth-child(2) a")) found.push([".periods li:nth-child(2) a"]);
  return found;
}

const early = await opened("");
await page.waitForSelector(".menu", { timeout: READING_MS });
const first = { painted: early.at + early.paint, paint: early.paint, figures: Date.now() };
const filters = await choices();
const times = {};
for (const name of pages) {
  const found = (times[name] = { paint: [], load: [], menu: [], filter: [] });
  for (let turn = 0; turn < Number(repeats); turn++) {
    const { paint, load } = await opened(name);
    found.paint.push(paint);
    found.load.push(load);
    await opened(pages.find((other) => other !== name));
    found.menu.push(await page.evaluate(ofChoice, [`.menu a[href="/${name}"]`]));
  }
  for (const filter of filters) {
    await opened(name);
    found.filter.push(await page.evaluate(ofChoice, filter));
  }
}
await browser.close();
console.log(JSON.stringify({ first, times }));
