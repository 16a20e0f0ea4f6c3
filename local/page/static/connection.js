// The page's connection to the cloud: its key, its events, its requests.

const HEARTBEATS_MISSED = 12000; // milliseconds: three heartbeats of the server
const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 4000;

// The key comes in the fragment, which no server sees. It is kept for this tab alone, so that a reload works,
// and taken out of the address, so that a copied address or a screenshot does not give it away.
function takeKey() {
  const given = location.hash.slice(1);
  if (/^[A-Za-z0-9_-]{20,}$/.test(given)) {
    sessionStorage.setItem("key", given);
    history.replaceState(null, "", location.pathname);
  }
  return sessionStorage.getItem("key");
}

const key = takeKey();
addEventListener("hashchange", () => { if (takeKey() !== key) location.reload(); });

export class RefusedError extends Error {}

// Make a request of a button; return the answer. Throws an Error with a sentence for the user.
export async function request(method, path, body = {}) {
  let answer;
  try {
    answer = await fetch(path, {
      method,
      headers: { Authorization: `Bearer ${key}`, "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
  } catch {
    throw new RefusedError("Not done: the local cloud does not answer.");
  }
  const content = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new RefusedError(content.error || `Not done: status ${answer.status}.`);
  return content;
}

// Follow the events for ever. `on` has a function for each event; `say(state, text)` shows the connection, which
// is live once it is known what there is and in which state: the buttons need both.
// An EventSource cannot send the key in a header, so the stream is read by hand.
export async function follow(on, say) {
  if (!key) return say("lost", "This page needs its key: open the address that the local cloud printed.");
  let pause = FIRST_PAUSE;
  for (;;) {
    try {
      await read(on, () => { pause = FIRST_PAUSE; say("live", "Live"); });
    } catch (error) {
      if (error instanceof RefusedError) return say("lost", error.message);
    }
    say("lost", "Connection lost. What you see is old. Trying again …");
    await new Promise((resume) => setTimeout(resume, pause));
    pause = Math.min(2 * pause, LONGEST_PAUSE);
  }
}

async function read(on, connected) {
  const stop = new AbortController();
  let watchdog = setTimeout(() => stop.abort(), HEARTBEATS_MISSED);
  try {
    const answer = await fetch("events", { headers: { Authorization: `Bearer ${key}` }, signal: stop.signal });
    if (answer.status === 401) {
      throw new RefusedError("The local cloud was started anew: open the address that it printed, or that " +
        "“python -m local page” prints.");
    }
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let left = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(watchdog);
      watchdog = setTimeout(() => stop.abort(), HEARTBEATS_MISSED);
      const events = (left + value).split("\n\n");
      left = events.pop();
      for (const event of events) {
        if (dispatch(event, on) === "state") connected();
      }
    }
  } finally {
    clearTimeout(watchdog);
  }
}

// Give an event to its function; return its name.
function dispatch(text, on) {
  const found = /^event: (\w+)\ndata: (.*)$/.exec(text);
  if (found && on[found[1]]) on[found[1]](JSON.parse(found[2]));
  return found && found[1];
}
