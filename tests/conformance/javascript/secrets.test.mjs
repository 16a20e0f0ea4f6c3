// The documented first steps with secrets.

import assert from "node:assert/strict";
import { test } from "node:test";
import { again, secrets, unused } from "./clients.mjs";

// conformance: Key Vault secrets | set and get
test("a secret is set and read", async () => {
  const client = secrets();
  const name = unused("secret");
  await client.setSecret(name, "a value");
  assert.equal((await client.getSecret(name)).value, "a value");
});

// conformance: Key Vault secrets | attributes, tags and content type
test("what a secret is set with is kept", async () => {
  const client = secrets();
  const name = unused("secret");
  const expiresOn = new Date("2037-01-01T00:00:00Z");
  const given = { contentType: "text/plain", expiresOn, tags: { purpose: "test" } };
  await client.setSecret(name, "a value", given);
  const { properties } = await client.getSecret(name);
  assert.equal(properties.contentType, "text/plain");
  assert.deepEqual(properties.expiresOn, expiresOn);
  assert.deepEqual({ ...properties.tags }, { purpose: "test" });
});

// conformance: Key Vault secrets | update
test("a version is updated without its value", async () => {
  const client = secrets();
  const set = await client.setSecret(unused("secret"), "a value");
  const { version } = set.properties;
  await client.updateSecretProperties(set.name, version, { contentType: "text/plain" });
  const found = await client.getSecret(set.name);
  assert.equal(found.value, "a value");
  assert.equal(found.properties.contentType, "text/plain");
});

// conformance: Key Vault secrets | list
test("secrets are listed without their values", async () => {
  const client = secrets();
  const { name } = await client.setSecret(unused("secret"), "a value");
  const names = [];
  for await (const one of client.listPropertiesOfSecrets()) {
    names.push(one.name);
    assert.equal(one.value, undefined);
  }
  assert.ok(names.includes(name));
});

// conformance: Key Vault secrets | delete, list deleted, recover, purge
test("a secret is deleted, recovered and purged", async () => {
  const client = secrets();
  const { name } = await client.setSecret(unused("secret"), "a value");
  await (await client.beginDeleteSecret(name, { intervalInMs: 100 })).pollUntilDone();
  await (await client.beginRecoverDeletedSecret(name, { intervalInMs: 100 })).pollUntilDone();
  assert.equal((await client.getSecret(name)).value, "a value");
  await (await client.beginDeleteSecret(name, { intervalInMs: 100 })).pollUntilDone();
  await client.purgeDeletedSecret(name);
  await assert.rejects(client.getSecret(name), { statusCode: 404 });
});

// conformance: Key Vault secrets | backup, restore
test("a secret is restored from its backup", async () => {
  const client = secrets();
  const { name } = await client.setSecret(unused("secret"), "a value");
  const backup = await client.backupSecret(name);
  await (await client.beginDeleteSecret(name, { intervalInMs: 100 })).pollUntilDone();
  await client.purgeDeletedSecret(name);
  await again(() => client.restoreSecretBackup(backup));
  assert.equal((await client.getSecret(name)).value, "a value");
});
