// The lists beside the picture: decisions, messages, what is rejected, and who may do what.

import { make } from "./picture.js";

const MOST_DECISIONS = 40;

const PHRASES = { send: "send to", receive: "receive from", encrypt: "encrypt with", decrypt: "decrypt with",
  get: "read", list: "list versions of", update: "enable versions of", read: "look at" };

// Say what an operation on an object is, for people: "receive from queue messages".
export function phrase(operation, object) {
  if (operation === "sign in") return `sign in as ${object.replace(/^identity /, "")}`;
  return `${PHRASES[operation] || operation} ${object}`;
}

export const short = (id) => String(id || "").slice(0, 8);
const clock = (time) => new Date(time).toLocaleTimeString([], { hour12: false });

export function addDecisions(accesses) {
  const list = document.getElementById("decision-list");
  for (const { app, identity, operation, object, allowed, because, at, count } of accesses) {
    const times = count > 1 ? `, ${count} times` : "";
    list.prepend(make("li", { class: allowed ? "allowed" : "refused" },
      make("b", {}, `${app || "somebody"} ${allowed ? "may" : "may not"} ${phrase(operation, object)}`),
      make("p", {}, `${clock(at)}, as ${identity || "nobody known"}${times}: ${because}`)));
  }
  while (list.children.length > MOST_DECISIONS) list.lastChild.remove();
}

// Show what was decided before the page was opened.
export function startDecisions(accesses) {
  document.getElementById("decision-list").replaceChildren();
  addDecisions(accesses);
}

export function showLedger({ states, count_limit: limit, messages, problem }) {
  const counts = document.getElementById("states");
  const rows = document.getElementById("messages");
  if (problem) return counts.replaceChildren(make("span", { class: "bad" }, problem));
  counts.replaceChildren(...Object.entries(states).map(([state, count]) =>
    make("span", { class: "state", "data-state": state }, `${count}${count < limit ? "" : " or more"} ${state}`)));
  if (!messages.length) counts.append(make("span", { class: "empty" }, "No message yet."));
  rows.replaceChildren(...messages.map((one) => {
    const last = Object.values(one.times || {}).map((time) => Date.parse(time));
    const took = last.length ? Math.max(...last) - Math.min(...last) : 0;
    return make("tr", { "data-id": one.id, "data-state": one.state },
      make("th", { scope: "row", class: "id", title: one.id }, short(one.id)),
      make("td", {}, make("span", { class: "state", "data-state": one.state }, one.state),
        one.detail ? make("p", {}, one.detail) : null),
      make("td", {}, String(one.attempts ?? 0)),
      make("td", {}, took < 10000 ? `${took} ms` : `${Math.round(took / 1000)} s`));
  }));
}

export function showRejected(rejected, replay) {
  const list = document.getElementById("rejected");
  const focused = list.contains(document.activeElement) && document.activeElement.dataset.number;
  list.replaceChildren(...rejected.map((one) => {
    const name = one.id ? short(one.id) : one.number;
    const button = make("button", { type: "button", "data-number": one.number,
      "aria-label": `Replay ${one.receipt ? "receipt" : "message"} ${name}` }, "Replay");
    button.addEventListener("click", () => replay(button, one.number));
    return make("li", {}, make("div", {}, make("span", { class: "id", title: one.id || "" }, name), " ",
      make("b", {}, one.reason), make("p", {}, `${one.detail ? `${one.detail}, ` : ""}${one.attempts} attempts, at ${clock(one.at)}`)), button);
  }));
  if (!rejected.length) list.append(make("li", { class: "empty" }, "Nothing is rejected."));
  if (focused) (list.querySelector("button") || document.getElementById("said")).focus();
}

export function showIdentities(picture, change) {
  const rows = (identities) => identities.map((identity) => {
    const button = make("button", { type: "button", "data-identity": identity.name });
    button.addEventListener("click", () => change(button, identity.name));
    return make("tr", { "data-identity": identity.name },
      make("th", { scope: "row", class: "id" }, identity.name),
      make("td", { class: "in" }, identity.apps.join(", ") || "operator"),
      make("td", { class: "may" }, make("ul", {}, ...grouped(identity.grants))),
      make("td", { class: "proof" }),
      make("td", { class: "change" }, button));
  });
  document.getElementById("identities").replaceChildren(...rows(picture.identities.filter((one) => one.apps.length)));
  document.getElementById("operators").replaceChildren(...rows(picture.identities.filter((one) => !one.apps.length)));
}

function grouped(grants) {
  const objects = new Map();
  for (const { operation, kind, object, by } of grants) {
    const name = `${kind} ${object}`;
    const known = objects.get(name) || { operations: [], by: [] };
    known.operations.push(operation);
    known.by.push(by);
    objects.set(name, known);
  }
  return [...objects].map(([name, { operations, by }]) =>
    make("li", { title: by.join("\n") }, `${operations.map((one) => PHRASES[one] || one).join(", ")} ${name}`));
}

export function showSuspended(suspended) {
  for (const row of document.querySelectorAll("tr[data-identity]")) {
    const { identity } = row.dataset;
    const gone = suspended.includes(identity);
    const button = row.querySelector("button");
    row.toggleAttribute("data-suspended", gone);
    button.textContent = gone ? "Give back" : "Take away";
    button.setAttribute("aria-label", gone ? `Give ${identity} its grants back` : `Take the grants of ${identity} away`);
  }
}

export function showProof({ proven, identities, differences }) {
  let allowed = 0;
  let refused = 0;
  for (const [name, counts] of Object.entries(identities)) {
    allowed += counts.allowed;
    refused += counts.refused;
    const cell = document.querySelector(`tr[data-identity="${CSS.escape(name)}"] .proof`);
    if (!cell) continue;
    cell.className = `proof ${counts.differ ? "bad" : "good"}`;
    cell.textContent = counts.differ ? `${counts.differ} not as declared`
      : `${counts.allowed} allowed, ${counts.refused} refused`;
  }
  const text = proven ? `Proven: ${allowed + refused} tries, ${allowed} allowed and ${refused} refused, all as declared.`
    : `Not proven: ${differences.length} of ${allowed + refused} tries are not as declared.`;
  const proof = document.getElementById("proof");
  proof.className = proven ? "good" : "bad";
  proof.textContent = text;
}
