// The documented first steps with keys.

import assert from "node:assert/strict";
import { test } from "node:test";
import { again, cryptography, keys, unused } from "./clients.mjs";

// conformance: Key Vault keys | create, RSA 2048 to 4096
test("an RSA key is created and read", async () => {
  const client = keys();
  const created = await client.createRsaKey(unused("key"), { keySize: 3072 });
  const found = await client.getKey(created.name);
  assert.equal(found.id, created.id);
  assert.equal(found.key.n.length, 384);
});

// conformance: Key Vault keys | create, EC P-256, P-384, P-521 and P-256K
test("keys on curves are created", async () => {
  for (const curve of ["P-256", "P-384", "P-521", "P-256K"]) {
    const created = await keys().createEcKey(unused("key"), { curve });
    assert.equal(created.key.crv, curve);
  }
});

// conformance: Key Vault keys | get, update, list versions
test("a key has versions, and what is updated is kept", async () => {
  const client = keys();
  const name = unused("key");
  const first = await client.createRsaKey(name);
  const second = await client.createRsaKey(name);
  const versions = new Set();
  for await (const one of client.listPropertiesOfKeyVersions(name)) {
    versions.add(one.version);
  }
  assert.deepEqual(versions, new Set([first.properties.version, second.properties.version]));
  const changed = { enabled: false, tags: { purpose: "test" } };
  await client.updateKeyProperties(name, first.properties.version, changed);
  const found = await client.getKey(name, { version: first.properties.version });
  assert.equal(found.properties.enabled, false);
  assert.deepEqual({ ...found.properties.tags }, { purpose: "test" });
});

// conformance: Key Vault keys | encrypt, decrypt: RSA-OAEP, RSA-OAEP-256, RSA1_5
test("what a key encrypts it decrypts", async () => {
  const client = cryptography(await keys().createRsaKey(unused("key")));
  for (const algorithm of ["RSA-OAEP", "RSA-OAEP-256", "RSA1_5"]) {
    const plaintext = Buffer.from("a payload");
    const { result } = await client.encrypt({ algorithm, plaintext });
    const decrypted = await client.decrypt({ algorithm, ciphertext: result });
    assert.equal(Buffer.from(decrypted.result).toString(), "a payload");
  }
});

// conformance: Key Vault keys | wrap, unwrap: RSA-OAEP, RSA-OAEP-256, RSA1_5
test("what a key wraps it unwraps", async () => {
  const client = cryptography(await keys().createRsaKey(unused("key")));
  const wrapped = await client.wrapKey("RSA-OAEP-256", Buffer.alloc(32, 7));
  const unwrapped = await client.unwrapKey("RSA-OAEP-256", wrapped.result);
  assert.deepEqual(Buffer.from(unwrapped.result), Buffer.alloc(32, 7));
});

// conformance: Key Vault keys | sign, verify
test("what a key signs it verifies, and nothing else", async () => {
  const client = cryptography(await keys().createEcKey(unused("key"), { curve: "P-256" }));
  const { result } = await client.signData("ES256", Buffer.from("a document"));
  const verify = async (text) => (await client.verifyData("ES256", Buffer.from(text), result)).result;
  assert.equal(await verify("a document"), true);
  assert.equal(await verify("another"), false);
});

// conformance: Key Vault keys | rotate
test("a key is rotated", async () => {
  const client = keys();
  const first = await client.createRsaKey(unused("key"));
  const second = await client.rotateKey(first.name);
  assert.notEqual(second.properties.version, first.properties.version);
});

// conformance: Key Vault keys | delete, list deleted, recover, purge
test("a key is deleted, recovered and purged", async () => {
  const client = keys();
  const { name } = await client.createRsaKey(unused("key"));
  await (await client.beginDeleteKey(name, { intervalInMs: 100 })).pollUntilDone();
  await (await client.beginRecoverDeletedKey(name, { intervalInMs: 100 })).pollUntilDone();
  assert.equal((await client.getKey(name)).name, name);
  await (await client.beginDeleteKey(name, { intervalInMs: 100 })).pollUntilDone();
  await client.purgeDeletedKey(name);
  await assert.rejects(client.getKey(name), { statusCode: 404 });
});

// conformance: Key Vault keys | backup, restore
test("a key is restored from its backup", async () => {
  const client = keys();
  const created = await client.createRsaKey(unused("key"));
  const backup = await client.backupKey(created.name);
  await (await client.beginDeleteKey(created.name, { intervalInMs: 100 })).pollUntilDone();
  await client.purgeDeletedKey(created.name);
  const restored = await again(() => client.restoreKeyBackup(backup));
  assert.equal(restored.id, created.id);
});
