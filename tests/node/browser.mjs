// A headless Chromium at the end of a pipe: reads {op, …} lines, writes {returned} or {error}. One browser, and for each
// {op: "open"} a new page without stored data and with its own virtual authenticators. The page is of another origin than
// the sandbox, as an application's is.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  ...(process.env.CHROMIUM_ARGUMENTS ?? "").split("\n").filter(Boolean),
];

const PATIENCE = 30_000;

const SDK = readFileSync(new URL("node_modules/@authsignal/browser/dist/index.min.js", import.meta.url));

const AXE = readFileSync(new URL("node_modules/axe-core/axe.min.js", import.meta.url), "utf8");

const PAGE = `<!doctype html><title>Application</title><link rel=icon href="data:,">
<input autocomplete="username webauthn"><script src="/sdk.js"></script>`;

function executable() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  for (const name of ["chromium", "chromium-browser", "google-chrome"]) {
    try {
      return execFileSync("which", [name], { encoding: "utf8" }).trim();
    } catch {
      // the next one
    }
  }
  throw new Error("The browser tests need Chromium: install it (Debian: chromium), or set CHROMIUM to its path.");
}

function serve() {
  const server = createServer((request, response) => {
    const isSdk = request.url === "/sdk.js";
    response.writeHead(200, { "content-type": isSdk ? "text/javascript" : "text/html" });
    response.end(isSdk ? SDK : PAGE);
  });
  return new Promise((resolve) => server.listen(0, "localhost", () => resolve(server)));
}

const server = await serve();
const origin = `http://localhost:${server.address().port}/`;
const browser = await chromium.launch({ executablePath: executable(), args: ARGUMENTS });
let context, contextOptions, page, devtools, authenticators, complaints, hosts, place;
const origins = new Set();

/** Where the next steps happen: the page, the pop-up in it, or the window that it opened. */
const there = () => place ?? page;

// A new context takes a second of processor time, a new page half of it.
async function openPage({ viewport, colorScheme, ...others }) {
  const wanted = JSON.stringify(others);
  if (!context || wanted !== contextOptions) {
    await context?.close();
    context = await browser.newContext(others);
    context.setDefaultTimeout(PATIENCE);
    contextOptions = wanted;
  }
  const former = context.pages();
  page = await context.newPage();
  await Promise.all(former.map((each) => each.close()));
  if (viewport) await page.setViewportSize(viewport);
  if (colorScheme) await page.emulateMedia({ colorScheme });
}

async function forgetStoredData() {
  await devtools.send("Network.clearBrowserCookies");
  await devtools.send("Network.clearBrowserCache");
  for (const origin of origins) await devtools.send("Storage.clearDataForOrigin", { origin, storageTypes: "all" });
  origins.clear();
}

function watch(request) {
  const { host, origin } = new URL(request.url());
  hosts.add(host);
  if (host) origins.add(origin);
}

const does = {
  async open({ url, options, context: about = {} }) {
    place = undefined;
    await openPage(about);
    complaints = [];
    hosts = new Set();
    page.on("request", watch);
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("console", (line) => line.type() === "error" && complaints.push(line.text()));
    devtools = await context.newCDPSession(page);
    await forgetStoredData();
    await devtools.send("WebAuthn.enable");
    authenticators = {};
    await page.goto(url ?? origin);
    if (options) await page.evaluate(makeClient, options);
  },
  // A page that stays open may draw all the time, while other tests need the processor.
  async close() {
    await context?.close();
    context = undefined;
  },
  async authenticator({ transport }) {
    const added = await devtools.send("WebAuthn.addVirtualAuthenticator", {
      options: {
        protocol: "ctap2",
        transport,
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: true,
        automaticPresenceSimulation: true,
      },
    });
    authenticators[transport] = added.authenticatorId;
  },
  async addCredential({ transport, credential }) {
    await devtools.send("WebAuthn.addCredential", { authenticatorId: authenticators[transport], credential });
  },
  async credentials({ transport }) {
    const held = await devtools.send("WebAuthn.getCredentials", { authenticatorId: authenticators[transport] });
    return held.credentials.map(({ credentialId, rpId, userName, userDisplayName, signCount }) => {
      return { credentialId, rpId, userName, userDisplayName, signCount };
    });
  },
  sdk: ({ path, argument }) => page.evaluate(callClient, { path, argument }),
  qr: ({ argument }) => page.evaluate(watchQrCode, argument),
  start: ({ path, argument }) => page.evaluate(startCall, { path, argument }),
  finish: () => page.evaluate(() => window.started),
  evaluate: ({ expression }) => page.evaluate(expression),
  async until({ expression }) {
    await page.waitForFunction(expression);
  },
  async visit({ url }) {
    const second = await context.newPage();
    await second.goto(url);
    const text = await second.textContent("body");
    await second.close();
    return text.trim();
  },
  async look({ at }) {
    if (at === "page") place = undefined;
    else if (at === "popup") place = page.frameLocator("#__authsignal-popup-iframe");
    else place = context.pages().at(-1) === page ? await context.waitForEvent("page") : context.pages().at(-1);
  },
  origin: () => origin,
  goto: ({ url }) => page.goto(url),
  waitForUrl: ({ url }) => page.waitForURL((found) => found.href.startsWith(url)),
  async launch({ url, options, client: about }) {
    await page.evaluate(makeClient, about);
    await page.evaluate(startLaunch, [url, options]);
  },
  focused: () => page.evaluate(() => document.activeElement.innerText || document.activeElement.id),
  fill: ({ label, text }) => there().getByLabel(label).fill(text),
  async write({ selector, text }) {
    const editor = page.locator(selector).first();
    await editor.fill(text);
    await editor.blur();
  },
  click: ({ button }) => there().getByRole("button", { name: button, exact: true }).click(),
  chooseMethod: ({ method }) => there().locator(".method", { hasText: method }).click(),
  follow: ({ link }) => there().getByRole("link", { name: link, exact: true }).click(),
  async waitFor({ text, patience = PATIENCE }) {
    await there().getByText(text).filter({ visible: true }).first().waitFor({ timeout: patience });
  },
  text: ({ selector }) => there().locator(selector).first().innerText(),
  async shoot({ path, fullPage = true }) {
    await page.screenshot({ path, fullPage });
  },
  press: ({ key }) => page.keyboard.press(key),
  clickOn: ({ selector }) => page.locator(selector).first().click(),
  choose: ({ selector, value }) => page.locator(selector).selectOption(value),
  back: () => page.goBack(),
  address: () => page.url(),
  async media(about) {
    await page.emulateMedia(about);
  },
  async download({ selector }) {
    const [file] = await Promise.all([page.waitForEvent("download"), page.locator(selector).first().click()]);
    return { name: file.suggestedFilename(), text: readFileSync(await file.path(), "utf8") };
  },
  // Rules that are broken, without those of minor weight unless asked for. Evaluated, because a strict page loads no
  // foreign script.
  async axe({ minor = false } = {}) {
    await page.evaluate(AXE);
    const { violations } = await page.evaluate(() => {
      const hidden = [...document.querySelectorAll(".page")].filter((each) => !each.offsetParent);
      hidden.forEach((each) => each.remove()); // no reader can reach them, and they take most of the time
      const kept = axe.run(document, { resultTypes: ["violations"] });
      return kept.finally(() => hidden.forEach((each) => document.querySelector("main").append(each)));
    });
    return violations
      .filter(({ impact }) => minor || impact === "serious" || impact === "critical")
      .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 200)).join(" | ")}`);
  },
  complaints: () => complaints,
  hosts: () => [...hosts].filter(Boolean),
};

function makeClient(options) {
  window.expired = 0;
  window.client = new authsignal.Authsignal({ ...options, onTokenExpired: () => (window.expired += 1) });
}

async function callClient({ path, argument }) {
  const names = path.split(".");
  const last = names.pop();
  const owner = names.reduce((value, name) => value[name], window.client);
  try {
    return { said: (await owner[last](argument)) ?? null };
  } catch ({ name, code, message }) {
    return { thrown: { name, code, message } };
  }
}

async function watchQrCode(argument) {
  window.states = [];
  const onStateChange = (state, token) => window.states.push(token ? [state, token] : [state]);
  return (await window.client.qrCode.challenge({ ...argument, onStateChange })).data;
}

function startLaunch([url, options]) {
  window.errors = [];
  window.started = client.launch(url, { ...options, onError: (error) => errors.push(error) });
}

function startCall({ path, argument }) {
  const names = path.split(".");
  const last = names.pop();
  const owner = names.reduce((value, name) => value[name], window.client);
  window.started = owner[last](argument);
}

function late(op) {
  return new Promise((_, reject) => setTimeout(reject, 2 * PATIENCE, new Error(`${op} took too long`)).unref());
}

async function answer({ op, ...rest }) {
  try {
    return { returned: (await Promise.race([does[op](rest), late(op)])) ?? null };
  } catch (error) {
    return { error: String(error?.message ?? error) };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line)))}\n`);
}
await browser.close();
server.close();
