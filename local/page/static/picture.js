// The picture: apps with their identities, vaults and queues, the lines between them, and what moves there.

const ALLOWED = 1600; // milliseconds that something stays lit
const REFUSED = 6000;
const DOT = 700;
const MOST_DOTS = 40;
const PER_MOVE = 4; // dots for one move, however many messages it stands for
const SVG = "http://www.w3.org/2000/svg";
const PLACES = { // where a node goes in the grid of page.css; any other goes where there is room
  "secret database-connection": "database", "key payload": "payload", "secret partner-connection": "connection",
  "secret partner-state": "state", "app sender": "sender", "app receiver": "receiver", "app tracker": "tracker",
  "queue messages": "messages", "queue retries": "retries", "queue receipts": "receipts",
  "queue rejected": "rejected", "queue dead-letters": "dead", caller: "caller", partner: "partner",
};
const still = matchMedia("(prefers-reduced-motion: reduce)");

export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

export class Picture {
  constructor() {
    this.stage = document.getElementById("stage");
    this.svg = document.getElementById("lines");
    this.grid = document.getElementById("nodes");
    this.marks = document.getElementById("marks");
    this.nodes = new Map(); // by name: "app sender", "key payload", "queue messages"
    this.chips = new Map(); // by app and identity
    this.lines = new Map(); // by app and object
    this.timers = new Map();
    this.dots = 0;
    new ResizeObserver(() => this.route()).observe(this.stage);
  }

  draw(picture) {
    this.grid.replaceChildren();
    this.svg.replaceChildren();
    this.marks.replaceChildren();
    for (const all of [this.nodes, this.chips, this.lines]) all.clear();
    this.add("caller", "outside", "Callers", "post messages");
    for (const app of picture.apps) this.addApp(app, picture);
    for (const vault of picture.vaults) this.addVault(vault);
    for (const queue of picture.queues) {
      this.add(`queue ${queue}`, "queue", queue, "empty", "queue").lastChild.className = "count";
    }
    this.add("partner", "outside", "Partner", "").lastChild.className = "count";
    for (const identity of picture.identities) {
      for (const app of identity.apps) {
        for (const grant of identity.grants) this.connect(`app ${app}`, `${grant.kind} ${grant.object}`, grant.kind);
      }
    }
    this.connect("caller", "app sender", "queue");
    this.connect("app receiver", "partner", "queue");
    this.route();
  }

  add(name, type, title, text, kind) {
    const heading = make("h3", {}, title);
    const node = make("div", { class: `node ${type}` }, heading, make("p", {}, text));
    if (kind) heading.title = `${kind} ${title}`;
    if (PLACES[name]) node.style.gridArea = PLACES[name];
    this.nodes.set(name, node);
    this.grid.append(node);
    return node;
  }

  addApp(app, picture) {
    const node = this.add(`app ${app.name}`, "app", app.name, "app");
    const list = make("ul", { class: "chips", "aria-label": `identities of ${app.name}` });
    for (const name of app.identities) {
      const { grants } = picture.identities.find((one) => one.name === name);
      const chip = make("li", { class: "chip" }, name);
      chip.title = `may ${grants.map((grant) => `${grant.operation} ${grant.object}`).join(", ")}`;
      this.chips.set(`${app.name} ${name}`, chip);
      list.append(chip);
    }
    node.append(list);
  }

  addVault(vault) {
    const objects = [...vault.keys.map((name) => ["key", name]), ...vault.secrets.map((name) => ["secret", name])];
    const first = objects[0] || ["vault", vault.name];
    const node = this.add(first.join(" "), "vault", first[1], `${first[0]} in vault ${vault.name}`);
    for (const [kind, name] of objects.slice(1)) {
      node.append(make("h3", {}, name), make("p", {}, kind));
      this.nodes.set(`${kind} ${name}`, node);
    }
  }

  connect(from, to, kind) {
    const name = `${from}|${to}`;
    if (this.lines.has(name) || !this.nodes.has(from) || !this.nodes.has(to)) return;
    const path = document.createElementNS(SVG, "path");
    if (kind !== "queue") path.classList.add("read");
    this.lines.set(name, { path, from: this.nodes.get(from), to: this.nodes.get(to) });
    this.svg.append(path);
  }

  route() {
    const origin = this.stage.getBoundingClientRect();
    const boxes = new Map();
    for (const node of this.nodes.values()) {
      const box = node.getBoundingClientRect();
      boxes.set(node, { l: box.left - origin.left, t: box.top - origin.top, w: box.width, h: box.height });
    }
    const narrow = matchMedia("(max-width: 720px)").matches;
    for (const { path, from, to } of this.lines.values()) {
      path.setAttribute("d", curve(boxes.get(from), boxes.get(to), [...boxes.values()], narrow));
    }
  }

  show(state) {
    for (const [name, found] of Object.entries(state.apps)) {
      const node = this.nodes.get(`app ${name}`);
      if (!node) continue;
      node.children[1].textContent = found === "up" ? "app" : `app, ${found}`;
      node.toggleAttribute("data-down", found !== "up");
    }
    for (const [name, counts] of Object.entries(state.queues)) {
      const node = this.nodes.get(`queue ${name}`);
      if (!node) continue;
      const words = [[counts.ready + counts.locked, "here"], [counts.scheduled, "waiting"], [counts.held, "held"]];
      const text = words.filter(([count]) => count).map(([count, word]) => `${count} ${word}`).join(", ");
      node.children[1].textContent = text || "empty";
      node.toggleAttribute("data-full", Boolean(text));
    }
    const [fault] = state.partner.faults;
    const refusing = state.partner.kind === "servicebus" ? "takes nothing" : `answers ${fault?.status || fault?.answer}`;
    const text = fault ? refusing : "works";
    const node = this.nodes.get("partner");
    if (node) node.children[1].textContent = `${state.partner.received} received, ${text}`;
    node?.toggleAttribute("data-full", Boolean(fault));
    for (const [name, chip] of this.chips) {
      chip.toggleAttribute("data-suspended", state.suspended.includes(name.split(" ")[1]));
    }
  }

  happened(activity) {
    for (const access of activity.accesses) this.decided(access);
    for (const move of activity.moves) this.moved(move);
    for (const answer of activity.partner) {
      this.light(`app receiver|partner`, answer.accepted, [this.nodes.get("partner")]);
      this.run("app receiver|partner", answer.count, false, !answer.accepted);
    }
  }

  decided({ app, identity, operation, object, allowed }) {
    const chip = this.chips.get(`${app} ${identity}`);
    const name = `app ${app}|${object}`;
    this.light(name, allowed, [chip, this.nodes.get(object)]);
    if (this.lines.has(name)) this.mark(name, `${allowed ? "✓" : "✕"} ${identity}: ${operation}`, allowed);
  }

  moved({ app, identity, operation, queue, count }) {
    const name = `app ${app}|queue ${queue}`;
    this.light(name, true, [this.chips.get(`${app} ${identity}`), this.nodes.get(`queue ${queue}`)]);
    this.run(name, count, operation === "receive", false);
    if (app === "sender" && operation === "send") this.run("caller|app sender", count, false, false);
  }

  light(line, allowed, elements) {
    for (const element of [this.lines.get(line)?.path, ...elements]) {
      if (!element) continue;
      element.dataset.lit = allowed ? "allowed" : "refused";
      this.after(element, allowed ? ALLOWED : REFUSED, () => delete element.dataset.lit);
    }
  }

  mark(line, text, allowed) {
    const { path } = this.lines.get(line);
    // Neighbours do not cover one another.
    const part = [...this.lines.keys()].indexOf(line) % 2 ? 0.36 : 0.66;
    const middle = path.getPointAtLength(path.getTotalLength() * part);
    for (const old of [...this.marks.children]) if (old.dataset.line === line) old.remove();
    const mark = make("span", { class: `mark ${allowed ? "allowed" : "refused"}`, "data-line": line }, text);
    mark.style.left = `${middle.x}px`;
    mark.style.top = `${middle.y}px`;
    this.marks.append(mark);
    // Words beside the edge of a narrow window would be cut off.
    const half = mark.offsetWidth / 2;
    mark.style.left = `${Math.min(Math.max(middle.x, half), this.stage.clientWidth - half)}px`;
    this.after(mark, allowed ? ALLOWED : REFUSED, () => mark.remove());
  }

  after(element, milliseconds, action) {
    clearTimeout(this.timers.get(element));
    this.timers.set(element, setTimeout(() => { this.timers.delete(element); action(); }, milliseconds));
  }

  run(line, count, backwards, bad) {
    const path = this.lines.get(line)?.path;
    if (!path || still.matches || document.hidden) return;
    for (let number = 0; number < Math.min(count, PER_MOVE) && this.dots < MOST_DOTS; number += 1) {
      this.dots += 1;
      const dot = document.createElementNS(SVG, "circle");
      dot.setAttribute("r", "5");
      if (bad) dot.classList.add("bad");
      this.svg.append(dot);
      const start = performance.now() + number * 90;
      const step = (now) => {
        const part = Math.min(Math.max((now - start) / DOT, 0), 1);
        const eased = part * part * (3 - 2 * part);
        if (!path.isConnected || part >= 1) {
          this.dots -= 1;
          return dot.remove();
        }
        const at = path.getPointAtLength(path.getTotalLength() * (backwards ? 1 - eased : eased));
        dot.setAttribute("cx", at.x);
        dot.setAttribute("cy", at.y);
        return requestAnimationFrame(step);
      };
      requestAnimationFrame(step);
    }
  }
}

// A curve from one box to another that does not run through a third.
function curve(a, b, boxes, narrow) {
  const [ax, ay, bx, by] = [a.l + a.w / 2, a.t + a.h / 2, b.l + b.w / 2, b.t + b.h / 2];
  const between = (one) => one !== a && one !== b;
  if (Math.abs(ax - bx) < (a.w + b.w) / 4) { // one above the other
    const [top, bottom] = ay < by ? [a, b] : [b, a];
    const blocked = boxes.some((one) => between(one) && Math.abs(one.l + one.w / 2 - ax) < one.w / 2 &&
      one.t > top.t && one.t + one.h < bottom.t + bottom.h);
    if (blocked) {
      const x = Math.min(a.l, b.l) - 34;
      return `M ${a.l} ${ay} C ${x} ${ay}, ${x} ${by}, ${b.l} ${by}`;
    }
    const [from, to] = ay < by ? [a.t + a.h, b.t] : [a.t, b.t + b.h];
    return `M ${ax} ${from} L ${bx} ${to}`;
  }
  const right = bx > ax;
  if (narrow) {
    const y = Math.min(Math.max(by, a.t + 12), a.t + a.h - 12);
    const [from, to] = right ? [a.l + a.w, b.l] : [a.l, b.l + b.w];
    const bend = (to - from) / 2;
    return `M ${from} ${y} C ${from + bend} ${y}, ${to - bend} ${by}, ${to} ${by}`;
  }
  if (Math.abs(ay - by) < (a.h + b.h) / 4) { // side by side
    const blocked = boxes.some((one) => between(one) && Math.abs(one.t + one.h / 2 - ay) < one.h / 2 &&
      one.l > Math.min(a.l, b.l) && one.l < Math.max(a.l, b.l));
    if (blocked) {
      const y = Math.max(a.t + a.h, b.t + b.h) + 30;
      return `M ${ax} ${a.t + a.h} C ${ax} ${y}, ${bx} ${y}, ${bx} ${b.t + b.h}`;
    }
    const [from, to] = right ? [a.l + a.w, b.l] : [a.l, b.l + b.w];
    return `M ${from} ${ay} L ${to} ${by}`;
  }
  const below = by > ay;
  const x = ax + Math.max(-0.34 * a.w, Math.min(0.34 * a.w, 0.2 * (bx - ax)));
  const y = below ? a.t + a.h : a.t;
  const far = Math.abs(ay - by) > 1.5 * (a.h + b.h);
  if (far) {
    const side = right ? b.l : b.l + b.w;
    return `M ${x} ${y} C ${x} ${by}, ${(x + side) / 2} ${by}, ${side} ${by}`;
  }
  const end = below ? b.t : b.t + b.h;
  const into = bx - Math.max(-0.3 * b.w, Math.min(0.3 * b.w, 0.2 * (bx - ax)));
  const bend = (end - y) * 0.55;
  return `M ${x} ${y} C ${x} ${y + bend}, ${into} ${end - bend}, ${into} ${end}`;
}
