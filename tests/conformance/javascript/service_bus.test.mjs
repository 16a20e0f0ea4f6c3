// The documented first steps with a queue.

import assert from "node:assert/strict";
import { test } from "node:test";
import { serviceBus } from "./clients.mjs";

const QUEUE = "javascript";

async function withClient(use) {
  const client = serviceBus();
  try {
    await use(client);
  } finally {
    await client.close();
  }
}

// conformance: Service Bus queues | send, receive and complete
test("a message is sent, received and completed", () =>
  withClient(async (client) => {
    await client.createSender(QUEUE).sendMessages({ body: { order: 4711 }, messageId: "one" });
    const receiver = client.createReceiver(QUEUE);
    const [message] = await receiver.receiveMessages(1, { maxWaitTimeInMs: 30_000 });
    assert.deepEqual(message.body, { order: 4711 });
    assert.equal(message.messageId, "one");
    await receiver.completeMessage(message);
    assert.deepEqual(await receiver.peekMessages(1), []);
  }));

// conformance: Service Bus queues | abandon and dead-letter
test("a message is abandoned, then dead-lettered", () =>
  withClient(async (client) => {
    await client.createSender(QUEUE).sendMessages({ body: "poison" });
    const receiver = client.createReceiver(QUEUE);
    const [first] = await receiver.receiveMessages(1, { maxWaitTimeInMs: 30_000 });
    await receiver.abandonMessage(first);
    const [second] = await receiver.receiveMessages(1, { maxWaitTimeInMs: 30_000 });
    assert.equal(second.deliveryCount, 1);
    await receiver.deadLetterMessage(second, { deadLetterReason: "not readable" });
    const dead = client.createReceiver(QUEUE, { subQueueType: "deadLetter" });
    const [buried] = await dead.receiveMessages(1, { maxWaitTimeInMs: 30_000 });
    assert.equal(buried.deadLetterReason, "not readable");
    await dead.completeMessage(buried);
  }));

// conformance: Service Bus queues | schedule and cancel
test("a message is scheduled and cancelled", () =>
  withClient(async (client) => {
    const sender = client.createSender(QUEUE);
    const [number] = await sender.scheduleMessages(
      { body: "later" },
      new Date(Date.now() + 3_600_000),
    );
    const receiver = client.createReceiver(QUEUE);
    const [peeked] = await receiver.peekMessages(1, { fromSequenceNumber: number });
    assert.equal(peeked.state, "scheduled");
    await sender.cancelScheduledMessages(number);
    assert.deepEqual(await receiver.peekMessages(1), []);
  }));
