// The live page: events in, requests out. Everything shown is text, never markup.

import { follow, request } from "./connection.js";
import {
  addDecisions, phrase, short, showIdentities, showLedger, showProof, showRejected, showSuspended, startDecisions,
} from "./lists.js";
import { Picture } from "./picture.js";

const SPOKEN = 1500; // milliseconds between two events that are read out
const byId = (id) => document.getElementById(id);
const picture = new Picture();
let known = { vaults: [] };
let state = { suspended: [], partner: { faults: [] } };
let spokenAt = 0;
let newest = null;

function show(id, text, tone = "") {
  byId(id).textContent = text;
  byId(id).dataset.tone = tone;
}

// What became of what a button asked for. Events have a line of their own: one may come in the same moment.
const say = (text, tone) => show("said", text, tone);

function happened(text, tone) {
  const waiting = newest !== null;
  newest = [text, tone];
  if (!waiting) setTimeout(showNewest, Math.max(0, spokenAt + SPOKEN - Date.now()));
}

function showNewest() {
  show("seen", ...newest);
  newest = null;
  spokenAt = Date.now();
}

// Do what a button asks for. It keeps the focus while it works, so it is not disabled for the browser.
async function act(button, meanwhile, action) {
  if (button.getAttribute("aria-disabled") === "true" || byId("connection").dataset.state !== "live") return;
  button.setAttribute("aria-disabled", "true");
  say(meanwhile);
  try {
    const answer = await action();
    if (answer.proof) {
      showProof(answer.proof);
      say(byId("proof").textContent, answer.proof.proven ? "good" : "bad");
    } else say(answer.done);
  } catch (error) {
    say(error.message, "bad");
  } finally {
    button.removeAttribute("aria-disabled");
  }
}

function on(id, meanwhile, action) {
  byId(id).addEventListener("click", () => act(byId(id), meanwhile, action));
}

const isAway = (identity) => state.suspended.includes(identity);
const grant = (button, identity) => act(button,
  isAway(identity) ? `Giving ${identity} back …` : `Taking ${identity} away …`,
  () => request("PUT", `grants/${encodeURIComponent(identity)}`, { granted: isAway(identity) }));

on("send", "Sending …", () => request("POST", "messages", { count: 1 }));
on("send-many", "Sending 20 …", () => request("POST", "messages", { count: 20 }));
byId("decrypt").addEventListener("click", () => grant(byId("decrypt"), "decrypt"));
on("forward", "Sending what waits …", () => request("POST", "retries/forward"));
on("fail", "Changing the partner …", () =>
  request("PUT", "partner", { answers: state.partner.faults.length ? "works" : "unavailable" }));
on("refuse", "Changing the partner …", () => request("PUT", "partner", { answers: "refuses" }));
on("rotate", "Rotating …", () => {
  const vault = known.vaults.find((one) => one.keys.length);
  return request("POST", `keys/${encodeURIComponent(vault.name)}/${encodeURIComponent(vault.keys[0])}/rotate`);
});
on("prove", "Every app tries everything, as each of its identities. This takes some seconds …",
  () => request("POST", "proof"));

const events = {
  picture(found) {
    known = found;
    picture.draw(found);
    showIdentities(found, grant);
    showSuspended(state.suspended);
  },
  state(found) {
    state = found;
    picture.show(found);
    showSuspended(found.suspended);
    const decrypt = byId("decrypt");
    decrypt.setAttribute("aria-pressed", String(isAway("decrypt")));
    decrypt.textContent = isAway("decrypt") ? "Give decrypt back" : "Take decrypt away";
    const failing = found.partner.faults.length > 0;
    byId("fail").setAttribute("aria-pressed", String(failing));
    byId("fail").textContent = failing ? "Let the partner work" : "Make the partner fail";
  },
  activity(found) {
    picture.happened(found);
    addDecisions(found.accesses);
    const refused = found.accesses.filter((one) => !one.allowed).pop();
    if (refused) {
      happened(`Refused: ${refused.app || "somebody"} may not ${phrase(refused.operation, refused.object)} as ` +
        `${refused.identity || "nobody known"}: it ${refused.because}.`, "bad");
    }
    const arrived = found.partner.filter((one) => one.accepted).pop();
    if (arrived && !refused) {
      const how = state.partner.kind === "servicebus" ? "opened, in its queue" : "opened and signed";
      happened(arrived.count === 1 ? `Message ${short(arrived.ids[0])} is at the partner, ${how}.`
        : `${arrived.count} messages are at the partner.`, "good");
    }
  },
  decisions: startDecisions,
  ledger: showLedger,
  rejected: (found) => showRejected(found, (button, number) => act(button, `Replaying ${number} …`,
    () => request("POST", "rejected/replay", { number }))),
};

follow(events, (name, text) => {
  const connection = byId("connection");
  document.body.classList.toggle("lost", name !== "live");
  if (connection.textContent !== text) connection.textContent = text;
  connection.dataset.state = name;
});
