// The documented first steps with the administration of a namespace.

import assert from "node:assert/strict";
import { test } from "node:test";
import { administration, serviceBus, unused } from "./clients.mjs";

async function names(pages) {
  const found = [];
  for await (const one of pages) {
    found.push(one.name ?? one.subscriptionName);
  }
  return found;
}

// conformance: Service Bus administration | queues: create, get, update, list, delete
test("a queue is created, changed, listed and deleted", async () => {
  const client = administration();
  const name = unused("queue");
  const created = await client.createQueue(name, { lockDuration: "PT30S", userMetadata: "a <b>" });
  assert.equal(created.lockDuration, "PT30S");
  assert.equal(created.userMetadata, "a <b>");
  await client.updateQueue({ ...created, maxDeliveryCount: 3 });
  assert.equal((await client.getQueue(name)).maxDeliveryCount, 3);
  assert.ok((await names(client.listQueues())).includes(name));
  await client.deleteQueue(name);
  assert.equal(await client.queueExists(name), false);
  await assert.rejects(client.getQueue(name), { code: "MessageEntityNotFoundError" });
});

// conformance: Service Bus administration | topics: create, get, update, list, delete
test("a topic is created, changed, listed and deleted", async () => {
  const client = administration();
  const name = unused("topic");
  const created = await client.createTopic(name, { requiresDuplicateDetection: true });
  assert.equal(created.requiresDuplicateDetection, true);
  await client.updateTopic({ ...created, defaultMessageTimeToLive: "PT1H" });
  assert.equal((await client.getTopic(name)).defaultMessageTimeToLive, "PT1H");
  assert.ok((await names(client.listTopics())).includes(name));
  await client.deleteTopic(name);
  assert.equal(await client.topicExists(name), false);
});

// conformance: Service Bus administration | subscriptions: create, get, update, list, delete
// conformance: Service Bus administration | rules: create, get, update, list, delete
test("a subscription and its rules are created, changed, listed and deleted", async () => {
  const client = administration();
  const topic = unused("topic");
  await client.createTopic(topic);
  const created = await client.createSubscription(topic, "one", { maxDeliveryCount: 4 });
  await client.updateSubscription({ ...created, maxDeliveryCount: 5 });
  assert.equal((await client.getSubscription(topic, "one")).maxDeliveryCount, 5);
  assert.deepEqual(await names(client.listSubscriptions(topic)), ["one"]);

  const filter = { correlationId: "a", applicationProperties: { size: 5 } };
  const rule = await client.createRule(topic, "one", "mail", filter);
  assert.equal(rule.filter.correlationId, "a");
  assert.deepEqual({ ...rule.filter.applicationProperties }, { size: 5 });
  await client.updateRule(topic, "one", { ...rule, filter: { sqlExpression: "size = 6" } });
  assert.equal((await client.getRule(topic, "one", "mail")).filter.sqlExpression, "size = 6");
  assert.deepEqual(await names(client.listRules(topic, "one")), ["$Default", "mail"]);
  await client.deleteRule(topic, "one", "mail");
  assert.deepEqual(await names(client.listRules(topic, "one")), ["$Default"]);

  await client.deleteSubscription(topic, "one");
  assert.equal(await client.subscriptionExists(topic, "one"), false);
  await client.deleteTopic(topic);
});

// conformance: Service Bus administration | runtime properties
test("what is in a queue is counted", async () => {
  const client = administration();
  const queue = unused("queue");
  await client.createQueue(queue);
  const bus = serviceBus();
  await bus.createSender(queue).sendMessages([{ body: "a" }, { body: "b" }]);
  await bus.close();
  const found = await client.getQueueRuntimeProperties(queue);
  assert.equal(found.totalMessageCount, 2);
  assert.equal(found.activeMessageCount, 2);
  await client.deleteQueue(queue);
});

// conformance: Service Bus administration | refuse what exists already
test("what exists is not created again", async () => {
  const client = administration();
  const queue = unused("queue");
  await client.createQueue(queue);
  await assert.rejects(client.createQueue(queue), { statusCode: 409 });
  await client.deleteQueue(queue);
  await assert.rejects(client.deleteQueue(queue), { statusCode: 404 });
});
