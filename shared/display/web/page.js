"use strict";
/* What a person sees and touches: pictures, bars, keys, the clock. What happens in the games is the table's. */

const NAMES = { agent: "Agent", person: "You" };
const PAUSE_AT_END = 1200; // ms
const LARGEST_CELLS = 320; // pictures with longer sides are smoothed

const find = (id) => document.getElementById(id);
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

function make(tag, attributes = {}, children = []) {
  const element = Object.assign(document.createElement(tag), attributes);
  element.append(...children);
  return element;
}

/** A number as short as it can be read: 123.4, -0.42. */
function short(number) {
  return number.toFixed(Math.abs(number) < 100 ? 2 : 1);
}

/** A person's hands: which action they ask for at this step. */
class Hands {
  constructor({ keys, idle, keeps }) {
    Object.assign(this, { keys, idle, keeps });
    this.begin();
  }

  begin() {
    this.held = []; // actions, the latest last
    this.tapped = null; // since the last step
    this.begun = false;
  }

  press(action) {
    this.held = [...this.held.filter((other) => other !== action), action];
    this.tapped = action;
    this.begun = true;
  }

  release(action) {
    this.held = this.held.filter((other) => other !== action);
  }

  take() {
    const action = this.tapped ?? this.held.at(-1) ?? this.idle;
    this.tapped = null;
    if (this.keeps) this.idle = action;
    return action;
  }
}

/** One game on the page: its picture, its score, and what the agent thinks of it. */
class View {
  constructor(player, data, hands) {
    this.data = data;
    this.score = make("span");
    this.canvas = make("canvas", { tabIndex: player === "person" ? 0 : -1 });
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", `${NAMES[player]}: the game`);
    this.rows = data.actions.map((name) => {
      const parts = ["name", "track", "number"].map((className) => make("span", { className }));
      parts[0].textContent = name;
      const bar = make("span", { className: "bar" });
      parts[1].append(bar);
      return { item: make("li", {}, parts), bar, number: parts[2] };
    });
    const values = make("ul", { className: "values" }, this.rows.map((row) => row.item));
    const about = player === "agent" ? "What it thinks" : "What the agent thinks of your place";
    this.last = make("p", { className: "last" });
    this.advice = make("p", { className: "last" });
    const mind = [make("h3", { textContent: `${about}: ${data.meaning}` }), values, this.last, this.advice];
    if (player === "person") mind.push(touchButtons(data, hands));
    this.element = make("article", { className: `board ${player}` }, [
      make("div", {}, [make("h2", { textContent: NAMES[player] }, [this.score]), this.canvas]),
      make("div", { className: "mind" }, mind),
    ]);
    this.element.id = player;
    // The bars' ends: all that was seen so far fits in between.
    [this.low, this.high] = data.meaning === "probabilities" ? [0, 1] : [Infinity, -Infinity];
  }

  async show(frame) {
    await this.draw(frame.picture);
    const { counter, counts } = this.data;
    const soFar = counter ? `${counter} ${Number(frame[counts].toFixed(1))}` : `step ${frame.length}`;
    this.score.textContent = frame.over ? frame.verdict : soFar;
    if (!frame.over) {
      this.low = Math.min(this.low, ...frame.values);
      this.high = Math.max(this.high, ...frame.values);
    }
    const best = frame.values.indexOf(Math.max(...frame.values));
    const place = (value) => (100 * (value - this.low)) / (this.high - this.low || 1);
    const start = Math.min(Math.max(0, this.low), this.high); // of each bar: 0, or what is nearest to it
    frame.values.forEach((value, action) => {
      const { item, bar, number } = this.rows[action];
      item.dataset.value = value;
      item.classList.toggle("best", action === best);
      number.textContent = short(value);
      bar.style.left = `${place(Math.min(value, start))}%`;
      bar.style.width = `${Math.abs(place(value) - place(start))}%`;
    });
    const { actions } = this.data;
    const last = frame.action === null ? "" : `Last action: ${actions[frame.action]}${frame.random ? " (random)" : ""}. `;
    const [first, second] = [...frame.values].sort((a, b) => b - a);
    const lead = Number((first - second).toPrecision(1)); // by which the best action is the best
    this.last.textContent = frame.over ? last : `${last}Best: ${actions[best]}, by ${lead}.`;
    if (frame.advice) {
      const { player, action, costs, unit } = frame.advice;
      const cost = Number(costs[best].toPrecision(3));
      const verdict = cost ? `; ${actions[best]} costs ${cost} ${unit}` : action === best ? " too" : ", no better";
      this.advice.textContent = `The ${player} would choose ${actions[action]}${verdict}.`;
    }
    this.element.classList.toggle("over", frame.over);
    this.element.dataset.length = frame.length;
    this.element.dataset.over = frame.over;
  }

  async draw(picture) {
    const context = this.canvas.getContext("2d");
    const sized = (width, height) => {
      if (this.canvas.width !== width || this.canvas.height !== height) {
        Object.assign(this.canvas, { width, height });
        this.canvas.style.setProperty("--ratio", width / height);
        this.canvas.classList.toggle("cells", Math.max(width, height) <= LARGEST_CELLS);
      }
    };
    if (picture.png) {
      const image = new Image();
      image.src = picture.png;
      await image.decode();
      sized(image.width, image.height);
      context.drawImage(image, 0, 0);
      return;
    }
    sized(picture.columns, picture.rows);
    const pixels = context.createImageData(picture.columns, picture.rows);
    picture.cells.forEach((kind, i) => pixels.data.set([...picture.colours[kind], 255], 4 * i));
    context.putImageData(pixels, 0, 0);
  }
}

/** A button for each action that a key has, for hands without a keyboard. */
function touchButtons(data, hands) {
  const actions = [...new Set(Object.values(data.keys))].sort((a, b) => a - b);
  const buttons = actions.map((action) => {
    const button = make("button", { type: "button", textContent: data.actions[action], tabIndex: -1 });
    button.addEventListener("pointerdown", () => hands.press(action));
    for (const end of ["pointerup", "pointercancel", "pointerleave"]) {
      button.addEventListener(end, () => hands.release(action));
    }
    button.addEventListener("contextmenu", (event) => event.preventDefault());
    return button;
  });
  return make("div", { className: "touch" }, buttons);
}

class Page {
  constructor(table) {
    this.table = table;
    this.data = table.data;
    this.hands = new Hands(this.data);
    this.running = true;
    this.over = true; // until the first game has begun
    this.work = Promise.resolve(); // what is asked of the table is done one after the other
    this.tally = { person: 0, agent: 0, even: 0 };
    this.listen();
    find("seed").value = this.data.seed ?? 0;
    this.choose("agent");
    this.clock();
  }

  get person() {
    return this.players.includes("person");
  }

  get waits() {
    return this.person && !this.hands.begun;
  }

  /** Who plays: "agent", "person" or "both". */
  choose(mode) {
    this.players = mode === "both" ? ["person", "agent"] : [mode];
    this.hands = new Hands(this.data);
    this.views = Object.fromEntries(this.players.map((p) => [p, new View(p, this.data, this.hands)]));
    find("boards").replaceChildren(...Object.values(this.views).map((view) => view.element));
    find("boards").classList.toggle("alone", this.players.length === 1);
    this.tally = { person: 0, agent: 0, even: 0 };
    find("speed").value = this.person ? this.data.humanFps : this.data.fps;
    this.say();
    if (this.person) this.views.person.canvas.focus({ preventScroll: true });
    this.newGame();
  }

  newGame() {
    this.hands.begin();
    return this.ask(async () => {
      const frames = await this.table.start(this.seed, this.players);
      this.over = false;
      return frames;
    });
  }

  nextGame() {
    find("seed").value = (this.seed + 1) % 2 ** 31;
    return this.newGame();
  }

  get seed() {
    const seed = Math.floor(Number(find("seed").value));
    return seed >= 0 && seed < 2 ** 31 ? seed : 0;
  }

  step() {
    const epsilon = Number(find("epsilon").value);
    return this.ask(() => this.table.step(this.hands.take(), epsilon));
  }

  /** Ask the table for frames, when its last answer is there, and show them. */
  ask(question) {
    this.work = this.work.then(async () => {
      try {
        const frames = await question();
        for (const player of Object.keys(frames)) await this.views[player]?.show(frames[player]);
        if (!this.over && Object.values(frames).every((frame) => frame.over)) this.end(frames);
        find("message").hidden = true;
      } catch (error) {
        this.run(false);
        find("message").textContent = error.message;
        find("message").hidden = false;
      }
      this.say();
    });
    return this.work;
  }

  end(frames) {
    this.over = true;
    if (Object.keys(frames).length < 2) return;
    const lead = frames.person.score - frames.agent.score;
    this.tally[lead > 0 ? "person" : lead < 0 ? "agent" : "even"] += 1;
  }

  run(running) {
    this.running = running;
    this.say();
  }

  say() {
    find("run").textContent = this.running ? "Pause" : "Play";
    for (const [id, text] of [
      ["speed", `${find("speed").value} steps/s`],
      ["epsilon", `${Math.round(100 * find("epsilon").value)} %`],
    ]) {
      document.querySelector(`output[for=${id}]`).textContent = text;
    }
    const { person, agent, even } = this.tally;
    const played = person + agent + even > 0 ? `You ${person}, agent ${agent}, even ${even}. ` : "";
    let help = this.person ? `Keys: ${this.data.keysHelp}.` : `The agent ${this.data.chooses}.`;
    if (this.waits && !this.over) help = `Press a key to begin: ${this.data.keysHelp}.`;
    if (!this.running) help = "Paused.";
    find("hint").textContent = played + help;
  }

  async clock() {
    for (;;) {
      await sleep(1000 / find("speed").value);
      if (!this.running || document.hidden) continue;
      if (this.over) {
        await sleep(PAUSE_AT_END);
        if (this.running && this.over) await this.nextGame();
      } else if (!this.waits) {
        await this.step();
      }
    }
  }

  listen() {
    for (const input of document.querySelectorAll("#modes input")) {
      input.addEventListener("change", () => this.choose(input.value));
    }
    const acts = {
      run: () => this.run(!this.running),
      new: () => this.nextGame(),
      step: () => {
        this.run(false);
        return this.over ? this.nextGame() : this.step();
      },
    };
    for (const [id, act] of Object.entries(acts)) find(id).addEventListener("click", act);
    for (const id of ["speed", "epsilon"]) find(id).addEventListener("input", () => this.say());
    find("seed").addEventListener("change", () => this.newGame());
    // What was clicked keeps no key from the game; what was reached by Tab does.
    document.addEventListener("pointerup", () => {
      if (document.activeElement?.matches("button, [type=range]")) document.activeElement.blur();
    });
    const shortcuts = { p: "run", s: "step", n: "new" };
    document.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.target.matches("button, input:not([type=radio])")) return;
      const action = this.data.keys[event.key];
      if (this.person && action !== undefined) {
        event.preventDefault();
        if (!event.repeat) this.hands.press(action);
      } else if (shortcuts[event.key] && !event.repeat) {
        find(shortcuts[event.key]).click();
      }
    });
    document.addEventListener("keyup", (event) => {
      const action = this.data.keys[event.key];
      if (action !== undefined) this.hands.release(action);
    });
    window.addEventListener("blur", () => (this.hands.held = []));
  }
}
