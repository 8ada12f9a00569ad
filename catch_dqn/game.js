"use strict";
/* Catch on a 10x10 grid: the rules of catch_dqn/game.py, for one game in a browser. Same draws, same states. */

class Catch {
  static ROWS = 10;
  static COLUMNS = 10;
  static REACH = 1; // cells of the paddle on either side of its centre
  // Kinds of cells, and their colours.
  static EMPTY = 0;
  static OBJECT = 1;
  static PADDLE = 2;

  numActions = 3; // 0 left, 1 stay, 2 right
  resetDraws = 2;
  stepDraws = 0;
  colours = [[24, 26, 32], [255, 196, 61], [72, 149, 239]];

  constructor({ starts }) {
    [this.paddles, this.columns] = starts === "tutorial" ? [7, 9] : [8, 10];
  }

  reset([paddle, column]) {
    return {
      paddle: 1 + Math.floor(Math.fround(paddle * this.paddles)),
      column: Math.floor(Math.fround(column * this.columns)),
      row: 0,
    };
  }

  step(state, action) {
    const { ROWS, COLUMNS, REACH } = Catch;
    const paddle = Math.min(Math.max(state.paddle + action - 1, REACH), COLUMNS - 1 - REACH);
    const row = state.row + 1;
    const terminated = row >= ROWS - 1;
    const caught = Math.abs(state.column - paddle) <= REACH;
    return { state: { ...state, paddle, row }, reward: terminated ? (caught ? 1 : -1) : 0, terminated };
  }

  observe(state) {
    return Float32Array.from(this.picture(state).cells, (kind) => Number(kind !== Catch.EMPTY));
  }

  picture({ paddle, column, row }) {
    const { ROWS, COLUMNS, REACH } = Catch;
    const cells = new Uint8Array(ROWS * COLUMNS);
    cells.fill(Catch.PADDLE, (ROWS - 1) * COLUMNS + paddle - REACH, (ROWS - 1) * COLUMNS + paddle + REACH + 1);
    cells[row * COLUMNS + column] = Catch.OBJECT;
    return { rows: ROWS, columns: COLUMNS, cells };
  }

  verdict(score) {
    return score > 0 ? "winner!" : "loser!";
  }
}
