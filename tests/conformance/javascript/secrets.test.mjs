// The documented first steps with secrets.

import assert from "node:assert/strict";
import { test } from "node:test";
import { secrets, unused } from "./clients.mjs";

// conformance: Key Vault secrets | set and get
test("a secret is set and read", async () => {
  const client = secrets();
  const name = unused("secret");
  await client.setSecret(name, "a value");
  assert.equal((await client.getSecret(name)).value, "a value");
});
