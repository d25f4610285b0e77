// The npm library over cases of JSON on stdin: each is signed, and verified as it was given.
import { readFileSync } from "node:fs";
import { Webhook } from "standardwebhooks";

const cases = JSON.parse(readFileSync(0, "utf8"));
const results = cases.map(({ secret, headers, body }) => {
  const webhook = new Webhook(secret);
  const moment = new Date(Number(headers["webhook-timestamp"]) * 1000);
  const signature = webhook.sign(headers["webhook-id"], moment, body);
  try {
    webhook.verify(body, headers);
    return { signature, verified: true };
  } catch (error) {
    return { signature, verified: false, error: error.message };
  }
});
console.log(JSON.stringify(results));
