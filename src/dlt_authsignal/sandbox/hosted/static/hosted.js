// Hosted pages: passkeys and security keys, the wait for an e-mail link, and the messages that launch() of Authsignal's
// browser SDK expects of a pop-up. Everything else works without this file.
"use strict";

const LINK_EVERY_MS = 1000;
const LINK_TRIES = 900;

const root = document.getElementById("widget_container");
const { client, token, next, popup, finished, waits, errorCode, errorStatus } = root.dataset;
const isPopup = popup !== undefined;

/** Tells the application, which opened this page as an iframe or as a window. The SDK checks this page's origin. */
function tell(message) {
  (window.opener ?? window.parent).postMessage(message, "*");
}

const event = (name, about) => tell(JSON.stringify({ event: name, ...about }));

class Refused extends Error {
  constructor({ error, errorCode: code, errorDescription }, status) {
    super(errorDescription ?? error);
    Object.assign(this, { code: code ?? error, status });
  }
}

async function post(path, body) {
  const answer = await fetch(`${client}${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json", Authorization: `Bearer ${token}` },
    body: JSON.stringify(body ?? {}),
  });
  const said = await answer.json();
  if (said.error) throw new Refused(said, answer.status);
  return said;
}

function leave(said) {
  const url = new URL(next, location.href);
  url.searchParams.set("token", said.accessToken);
  if (said.userAuthenticator) url.searchParams.set("added", said.userAuthenticator.verificationMethod);
  location.replace(url);
}

const CEREMONIES = {
  async PASSKEY(isNew) {
    const own = "/user-authenticators/passkey";
    const { challengeId, options } = await post(`${own}/${isNew ? "registration" : "authentication"}-options`);
    return isNew
      ? post(own, { challengeId, registrationCredential: await webauthn.create(options) })
      : post("/verify/passkey", { challengeId, authenticationCredential: await webauthn.get(options) });
  },
  async SECURITY_KEY(isNew) {
    const own = "/user-authenticators/security-key";
    const options = await post(`${own}/${isNew ? "registration" : "authentication"}-options`);
    return isNew ? post(own, await webauthn.create(options)) : post("/verify/security-key", await webauthn.get(options));
  },
};

function say(name, words) {
  for (const line of root.querySelectorAll("[data-say]")) line.hidden = line.dataset.say !== name;
  if (words) root.querySelector(`[data-say="${name}"]`).textContent = words;
}

function explain(error) {
  if (error instanceof Refused) {
    if (isPopup) event("AUTHSIGNAL_API_ERROR", { errorCode: error.code, statusCode: error.status });
    return say("refused", error.message);
  }
  if (error.name === "InvalidStateError") return say("exists");
  if (error.name === "NotAllowedError" || error.name === "AbortError") return say("canceled");
  return say("refused", error.message);
}

function prepare(button) {
  if (!window.PublicKeyCredential) return say("unsupported");
  button.disabled = false;
  button.addEventListener("click", async () => {
    button.disabled = true;
    say(null);
    try {
      leave(await CEREMONIES[button.dataset.ceremony]("create" in button.dataset));
    } catch (error) {
      button.disabled = false;
      explain(error);
    }
  });
}

async function waitForLink(tries) {
  try {
    const said = await post("/verify/email-magic-link/finalize");
    if (said.isVerified) return leave(said);
  } catch (error) {
    if (error instanceof Refused) return location.reload(); // the page then says what is wrong
  }
  if (tries > 1) setTimeout(waitForLink, LINK_EVERY_MS, tries - 1);
}

for (const button of root.querySelectorAll("[data-ceremony]")) prepare(button);
if (waits !== undefined) setTimeout(waitForLink, LINK_EVERY_MS, LINK_TRIES);

if (isPopup) {
  for (const button of root.querySelectorAll("[data-close]")) {
    button.addEventListener("click", () => event("AUTHSIGNAL_CLOSE_POPUP"));
  }
  new ResizeObserver(() => tell({ height: root.offsetHeight })).observe(root);
  event("AUTHSIGNAL_READY");
  if (errorCode) event("AUTHSIGNAL_API_ERROR", { errorCode, statusCode: Number(errorStatus) });
  if (finished !== undefined) event("AUTHSIGNAL_CLOSE_POPUP", { token });
}
