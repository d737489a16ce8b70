// Try a passkey of this device: the calls that an application and its page make.
"use strict";

(() => {
  const $ = (id) => document.getElementById(id);
  const { tenant, root, api } = $("try").dataset;
  const buttons = [$("create"), $("sign-in")];

  if (!window.PublicKeyCredential && !buttons[0].disabled) {
    $("host").hidden = false;
    for (const button of buttons) button.disabled = true;
  }

  /** A call as an application makes it; an error of the API is thrown in its own words. */
  async function post(path, authorization, body) {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json", ...(authorization && { Authorization: authorization }) },
      body: JSON.stringify(body),
    });
    const said = await answer.json();
    if (said.error) throw new Error(said.errorDescription ?? said.error);
    return said;
  }

  async function createPasskey() {
    const { token, userId } = await post(`${root}try`, null, { userId: $("user").value.trim() });
    const bearer = `Bearer ${token}`;
    const path = `${api}/client/user-authenticators/passkey`;
    const { challengeId, options } = await post(`${path}/registration-options`, bearer, { username: userId });
    const said = await post(path, bearer, { challengeId, registrationCredential: await webauthn.create(options) });
    const name = said.userAuthenticator?.webauthnCredential?.name;
    return `Passkey created for ${userId}${name && name !== "Passkey" ? `, stored by ${name}` : ""}. Now sign in with it.`;
  }

  async function signIn() {
    const basic = `Basic ${btoa(`${tenant}:`)}`;
    const started = await post(`${api}/client/challenge`, basic, { action: "signIn" });
    const path = `${api}/client/user-authenticators/passkey/authentication-options`;
    const { challengeId, options } = await post(path, basic, { challengeId: started.challengeId });
    const answer = { challengeId, authenticationCredential: await webauthn.get(options) };
    const said = await post(`${api}/client/verify/passkey`, basic, answer);
    if (!said.isVerified) throw new Error("The passkey was not accepted.");
    return `Signed in as ${said.userId}. Your server would now call POST /v1/validate to check the token.`;
  }

  function inWords(error) {
    if (error.name === "InvalidStateError") return "This device already has a passkey of that user. Sign in with it.";
    if (error.name === "NotAllowedError") return "No passkey was chosen: you cancelled, it timed out, or this device has none.";
    return error.message;
  }

  async function attempt(ceremony) {
    const result = $("result");
    for (const button of buttons) button.disabled = true;
    result.className = "result";
    result.textContent = "Waiting for your device …";
    try {
      result.textContent = await ceremony();
      result.classList.add("good");
    } catch (error) {
      result.textContent = inWords(error);
      result.classList.add("bad");
    }
    for (const button of buttons) button.disabled = false;
    dispatchEvent(new Event("sandbox-changed"));
  }

  $("try").addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(createPasskey);
  });
  $("sign-in").addEventListener("click", () => attempt(signIn));
})();
