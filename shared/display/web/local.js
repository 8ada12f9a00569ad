"use strict";
/* A table where rules and network run in this page. `RemoteTable` has the same methods.

   Rules are a class with numActions, resetDraws, stepDraws, colours, and reset(draws) -> state,
   step(state, action, draws) -> { state, reward, terminated }, observe(state) -> Float32Array,
   picture(state) -> { rows, columns, cells }, each a place in colours, and verdict(score, length) -> text. */

class Board {
  constructor(rules, network, data, draws) {
    Object.assign(this, { rules, network, data, draws });
    this.state = rules.reset(draws.take(rules.resetDraws));
    this.score = 0;
    this.length = 0;
    this.action = null; // the last one
    this.random = false; // whether chance has chosen it
    this.over = false;
    this.think();
  }

  think() {
    this.values = Array.from(this.network.values(this.rules.observe(this.state)));
  }

  step({ action, random }) {
    // An agent that holds decides at every so manieth step; between them what was decided goes on.
    if (this.length % this.data.hold === 0) Object.assign(this, { action, random });
    const { state, reward, terminated } = this.rules.step(this.state, this.action, this.draws.take(this.rules.stepDraws));
    this.state = state;
    this.score += reward;
    this.length += 1;
    this.over = terminated || this.length === this.data.timeLimit;
    this.think();
  }

  /** What the page shows of it. */
  frame() {
    const { values, action, random, score, length, over } = this;
    const picture = { ...this.rules.picture(this.state), colours: this.rules.colours };
    const verdict = over ? this.rules.verdict(score, length) : "";
    return { picture, values, action, random, score, length, over, verdict };
  }
}

class LocalTable {
  constructor(data, rules) {
    Object.assign(this, { data, rules, network: new Network(data.network) });
  }

  /** New games of the same draws, one for each of `players` ("agent", "person"): their frames by player. */
  async start(seed, players) {
    this.exploring = new Draws([seed, 1]);
    const deal = () => new Board(this.rules, this.network, this.data, new Draws(seed));
    this.boards = Object.fromEntries(players.map((player) => [player, deal()]));
    return this.frames();
  }

  /** One step of each game that goes on; the agent takes a random action with the chance `epsilon`. */
  async step(person, epsilon) {
    for (const [player, board] of Object.entries(this.boards)) {
      if (board.over) continue;
      board.step(player === "person" ? { action: person, random: false } : this.choice(board.values, epsilon));
    }
    return this.frames();
  }

  choice(values, epsilon) {
    const [explores, which] = this.exploring.take(2);
    return explores < epsilon
      ? { action: Math.floor(which * values.length), random: true }
      : { action: values.indexOf(Math.max(...values)), random: false };
  }

  frames() {
    return Object.fromEntries(Object.entries(this.boards).map(([player, board]) => [player, board.frame()]));
  }
}
