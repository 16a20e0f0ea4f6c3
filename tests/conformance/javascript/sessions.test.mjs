// The documented first steps with sessions.

import assert from "node:assert/strict";
import { test } from "node:test";
import { serviceBus } from "./clients.mjs";

const QUEUE = "javascript-sessions";

// conformance: Service Bus sessions | receive a session in order
test("a session is received in order, and keeps a state", async () => {
  const client = serviceBus();
  try {
    const messages = ["a", "b"].map((body) => ({ body, sessionId: "one" }));
    await client.createSender(QUEUE).sendMessages(messages);
    const receiver = await client.acceptSession(QUEUE, "one");
    const bodies = [];
    while (bodies.length < 2) {
      for (const message of await receiver.receiveMessages(2, { maxWaitTimeInMs: 30_000 })) {
        bodies.push(message.body);
        await receiver.completeMessage(message);
      }
    }
    assert.deepEqual(bodies, ["a", "b"]);
    await receiver.setSessionState("halfway");
    assert.equal(Buffer.from(await receiver.getSessionState()).toString(), "halfway");
    await receiver.setSessionState(null);
    await receiver.close();
  } finally {
    await client.close();
  }
});

// conformance: Service Bus sessions | accept the next session
test("the next session is one with messages", async () => {
  const client = serviceBus();
  try {
    await client.createSender(QUEUE).sendMessages({ body: "a message", sessionId: "waiting" });
    const receiver = await client.acceptNextSession(QUEUE);
    assert.equal(receiver.sessionId, "waiting");
    const [message] = await receiver.receiveMessages(1, { maxWaitTimeInMs: 30_000 });
    await receiver.completeMessage(message);
    await receiver.close();
  } finally {
    await client.close();
  }
});
