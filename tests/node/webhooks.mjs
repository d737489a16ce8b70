// What Authsignal's own SDK makes of webhooks: reads {secret, deliveries: [{body, signature}]} from standard input,
// writes one {event} or {error} for each.
import { readFileSync } from "node:fs";
import { Authsignal } from "@authsignal/node";

const { secret, deliveries } = JSON.parse(readFileSync(0, "utf8"));
const { webhook } = new Authsignal({ apiSecretKey: secret, apiUrl: "http://127.0.0.1:9/v1" });

const judged = deliveries.map(({ body, signature }) => {
  try {
    return { event: webhook.constructEvent(body, signature) };
  } catch (error) {
    return { error: error.message };
  }
});
process.stdout.write(JSON.stringify(judged));
