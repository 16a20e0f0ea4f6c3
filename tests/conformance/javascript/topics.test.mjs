// The documented first steps with topics, subscriptions and their rules.

import assert from "node:assert/strict";
import { test } from "node:test";
import { administration, serviceBus, unused } from "./clients.mjs";

const WAIT = { maxWaitTimeInMs: 30_000 };

async function withTopic(use) {
  const client = serviceBus();
  const topic = unused("topic");
  await administration().createTopic(topic);
  try {
    await use(client, topic);
  } finally {
    await client.close();
    await administration().deleteTopic(topic);
  }
}

async function take(client, topic, subscription, count) {
  const receiver = client.createReceiver(topic, subscription);
  const taken = [];
  while (taken.length < count) {
    for (const message of await receiver.receiveMessages(count, WAIT)) {
      await receiver.completeMessage(message);
      taken.push(message);
    }
  }
  assert.deepEqual(await receiver.peekMessages(1), []);
  return taken;
}

// conformance: Service Bus topics | send to a topic, and receive from each subscription
test("each subscription gets what its rule takes", () =>
  withTopic(async (client, topic) => {
    const red = { sqlExpression: "color = @color", sqlParameters: { "@color": "red" } };
    const urgent = { subject: "urgent", applicationProperties: { size: 5 } };
    await administration().createSubscription(topic, "all");
    for (const [name, filter] of Object.entries({ red, urgent })) {
      await administration().createSubscription(topic, name, {
        defaultRuleOptions: { name: "rule", filter },
      });
    }
    await client.createSender(topic).sendMessages([
      { body: 1, applicationProperties: { color: "red", size: 4 }, subject: "urgent" },
      { body: 2, applicationProperties: { color: "blue", size: 5 }, subject: "urgent" },
      { body: 3, applicationProperties: { color: "red", size: 5 }, subject: "Urgent" },
    ]);
    const bodies = async (name, count) =>
      (await take(client, topic, name, count)).map((message) => message.body);
    assert.deepEqual(await bodies("all", 3), [1, 2, 3]);
    assert.deepEqual(await bodies("red", 2), [1, 3]);
    assert.deepEqual(await bodies("urgent", 1), [2]);
  }));

// conformance: Service Bus rules | an action changes the copy
test("an action changes the copy that its rule makes", () =>
  withTopic(async (client, topic) => {
    await administration().createSubscription(topic, "one", {
      defaultRuleOptions: {
        name: "paint",
        filter: { sqlExpression: "color IS NOT NULL" },
        action: { sqlExpression: "SET color = 'green'; SET sys.Label = 'painted'" },
      },
    });
    const message = { body: 1, applicationProperties: { color: "red" } };
    await client.createSender(topic).sendMessages(message);
    const [copy] = await take(client, topic, "one", 1);
    assert.equal(copy.applicationProperties.color, "green");
    assert.equal(copy.subject, "painted");
  }));

// conformance: Service Bus rules | add, list and remove by the right to listen
test("a receiver changes its rules", () =>
  withTopic(async (client, topic) => {
    await administration().createSubscription(topic, "one");
    const rules = client.createRuleManager(topic, "one");
    await rules.createRule("red", { sqlExpression: "color = 'red'" });
    await rules.deleteRule("$Default");
    const listed = [];
    for await (const rule of rules.listRules()) {
      listed.push([rule.name, rule.filter.sqlExpression]);
    }
    assert.deepEqual(listed, [["red", "color = 'red'"]]);
    await client.createSender(topic).sendMessages([
      { body: 1, applicationProperties: { color: "blue" } },
      { body: 2, applicationProperties: { color: "red" } },
    ]);
    assert.deepEqual((await take(client, topic, "one", 1)).map((one) => one.body), [2]);
  }));
