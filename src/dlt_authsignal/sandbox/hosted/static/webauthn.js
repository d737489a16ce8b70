// Passkeys and security keys by WebAuthn, with the JSON of the options and answers that the Client API uses.
"use strict";

const webauthn = (() => {
  const bytes = (text) =>
    Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const withBytes = (credentials) => credentials?.map((credential) => ({ ...credential, id: bytes(credential.id) }));

  function asCreation(json) {
    if (PublicKeyCredential.parseCreationOptionsFromJSON) return PublicKeyCredential.parseCreationOptionsFromJSON(json);
    const user = { ...json.user, id: bytes(json.user.id) };
    return { ...json, user, challenge: bytes(json.challenge), excludeCredentials: withBytes(json.excludeCredentials) };
  }

  function asRequest(json) {
    if (PublicKeyCredential.parseRequestOptionsFromJSON) return PublicKeyCredential.parseRequestOptionsFromJSON(json);
    return { ...json, challenge: bytes(json.challenge), allowCredentials: withBytes(json.allowCredentials) };
  }

  function asJson(credential) {
    if (credential.toJSON) return credential.toJSON();
    const { id, type, authenticatorAttachment, response } = credential;
    const parts = ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"];
    const encoded = parts.filter((name) => response[name]).map((name) => [name, text(response[name])]);
    const answer = { ...Object.fromEntries(encoded), transports: response.getTransports?.() };
    return { id, rawId: id, type, authenticatorAttachment, clientExtensionResults: {}, response: answer };
  }

  const create = async (options) => asJson(await navigator.credentials.create({ publicKey: asCreation(options) }));
  const get = async (options) => asJson(await navigator.credentials.get({ publicKey: asRequest(options) }));
  return { create, get };
})();
