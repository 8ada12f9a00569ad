"use strict";
/* Catch-ball on an 8x8 or 16x16 screen: the rules of catch_dqn/ball_game.py, for one game in a browser. Same draws,
   same states. */

class CatchBall {
  static BAR = 3; // cells of the bar
  static INTERVAL = 5; // steps from one ball to the next
  static NO_BALL = -1;
  static FARTHEST = { 8: 7, 16: 6 }; // columns from one ball to the next, at most, by size of the screen
  static NEAREST = 3; // and at least
  // Kinds of cells.
  static EMPTY = 0;
  static BALL = 1;
  static PADDLE = 2;

  numActions = 3; // 0 stay, 1 left, 2 right
  resetDraws = 2;
  stepDraws = 1;
  colours = [[24, 26, 32], [255, 196, 61], [72, 149, 239]];

  constructor({ size, starts }) {
    this.size = size;
    this.places = size - CatchBall.BAR + (starts === "all" ? 1 : 0);
    this.balls = Math.ceil(size / CatchBall.INTERVAL); // on the screen at once, at most
  }

  reset([column, bar]) {
    const columns = Array(this.balls).fill(CatchBall.NO_BALL);
    columns[0] = Math.floor(Math.fround(column * this.size));
    return { bar: Math.floor(Math.fround(bar * this.places)), since_drop: 0, columns };
  }

  step(state, action, [draw]) {
    const { BAR, INTERVAL, NO_BALL } = CatchBall;
    const move = [0, -1, 1][action];
    const bar = Math.min(Math.max(state.bar + move, 0), this.size - BAR);
    const drops = state.since_drop === INTERVAL - 1;
    const since_drop = drops ? 0 : state.since_drop + 1;
    const columns = drops
      ? [this.nextColumn(state.columns[0], draw), ...state.columns.slice(0, -1)]
      : state.columns;
    const lowest = this.size - 1;
    const landed = columns.filter((column, i) => column !== NO_BALL && since_drop + INTERVAL * i === lowest);
    const caught = landed.some((column) => column >= bar && column < bar + BAR);
    const terminated = landed.length > 0 && !caught;
    return { state: { bar, since_drop, columns }, reward: Number(caught) - Number(terminated), terminated };
  }

  /* A column that fits, picked among all that fit to the left and right of the last ball's. */
  nextColumn(last, draw) {
    const { NEAREST } = CatchBall;
    const farthest = CatchBall.FARTHEST[this.size];
    const leftmost = Math.max(last - farthest, 0);
    const onLeft = Math.max(last - NEAREST + 1 - leftmost, 0); // how many fit there
    const rightmost = Math.min(last + farthest, this.size - 1);
    const onRight = Math.max(rightmost - (last + NEAREST) + 1, 0);
    const pick = Math.floor(Math.fround(draw * (onLeft + onRight)));
    return pick < onLeft ? leftmost + pick : last + NEAREST + pick - onLeft;
  }

  observe(state) {
    const brightness = [0, 0.5, 1];
    return Float32Array.from(this.picture(state).cells, (kind) => brightness[kind]);
  }

  picture({ bar, since_drop, columns }) {
    const { BAR, INTERVAL, NO_BALL, BALL, PADDLE } = CatchBall;
    const { size } = this;
    const cells = new Uint8Array(size * size);
    cells.fill(PADDLE, (size - 1) * size + bar, (size - 1) * size + bar + BAR);
    columns.forEach((column, i) => {
      const row = since_drop + INTERVAL * i;
      if (column !== NO_BALL && row < size) cells[row * size + column] = BALL;
    });
    return { rows: size, columns: size, cells };
  }

  verdict(score, length) {
    return `score ${score} in ${length} steps`;
  }
}
