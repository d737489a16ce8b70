// Authsignal's server SDK at the end of a pipe: reads {method, request, apiSecretKey} lines, writes {returned} or {error}.
import { createInterface } from "node:readline";
import { Authsignal, AuthsignalError } from "@authsignal/node";

const clients = new Map();

function client(apiSecretKey) {
  if (!clients.has(apiSecretKey)) {
    clients.set(apiSecretKey, new Authsignal({ apiSecretKey, apiUrl: process.env.API_URL }));
  }
  return clients.get(apiSecretKey);
}

async function answer({ method, request, apiSecretKey }) {
  if (method === "methods") {
    return { returned: Object.getOwnPropertyNames(Authsignal.prototype) };
  }
  try {
    return { returned: (await client(apiSecretKey)[method](request)) ?? null };
  } catch (error) {
    const { name, message, statusCode, errorCode, errorDescription } = error;
    const mapped = error instanceof AuthsignalError;
    return { error: { name, message, mapped, statusCode, errorCode, errorDescription } };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line)))}\n`);
}
