"use strict";
/* CAVE: the rules of cave_game/game.py, for one game in a browser. Same draws, same states.
   (Narrow starts are for training, and are Python's alone.) */

class Cave {
  static SIDE = 48; // cells of the screen
  static FRAMES = 4; // screens in one observation
  static PROFILE = 51; // columns of the cave that the last four screens show
  static HALF = 24; // values on a side of an observed screen: means of 2 x 2 cells
  static AHEAD = 40; // columns from the craft's left edge to the right edge of the screen
  static CRAFT = 2; // side of the craft in cells
  static CRAFT_COLUMN = 8; // of its left edge
  static QUARTERS = 4; // positions and speeds are counted in quarter cells
  static TOP_SPEED = 6; // quarter cells per step
  static START_GAP = 30; // free cells between ceiling and floor
  static LEAST_GAP = 18;
  static MARGIN = 3; // rows of rock above and below that always remain
  static NARROWS_EVERY = 48; // columns
  static NARROWS_AT = 12;
  static BLOCK_EVERY = 24;
  static BLOCK_WIDTH = 3;
  static BLOCK_HEIGHT = 8;
  static PASSAGE = 7; // free cells on one side of a block, at least
  static NO_BLOCK = 48; // "top row" of a block where there is none
  // What has ended the game.
  static FLYING = 0;
  static CEILING = 1;
  static FLOOR = 2;
  static BLOCK = 3;
  // Kinds of cells.
  static FREE_KIND = 0;
  static ROCK_KIND = 1;
  static CRAFT_KIND = 2;
  static CRASH_KIND = 3;

  numActions = 2; // 0 button released, 1 button held
  resetDraws = 0;
  stepDraws = 1;
  colours = [[24, 26, 32], [92, 98, 112], [255, 196, 61], [239, 71, 72]];

  constructor({ observation }) {
    this.observation = observation;
  }

  reset() {
    const { SIDE, CRAFT, QUARTERS, START_GAP, FRAMES, PROFILE, NO_BLOCK, FLYING } = Cave;
    const row = (SIDE - CRAFT) / 2;
    const ceiling = (SIDE - START_GAP) / 2;
    return {
      height: row * QUARTERS,
      speed: 0,
      rows: Array(FRAMES).fill(row),
      ceiling: Array(PROFILE).fill(ceiling),
      floor: Array(PROFILE).fill(ceiling + START_GAP),
      block: Array(PROFILE).fill(NO_BLOCK),
      distance: 0,
      ending: FLYING,
    };
  }

  step(state, action, [draw]) {
    const { SIDE, CRAFT, QUARTERS, TOP_SPEED, FLYING } = Cave;
    const clip = (value, low, high) => Math.min(Math.max(value, low), high);
    const speed = clip(state.speed + 1 - 2 * action, -TOP_SPEED, TOP_SPEED);
    const height = clip(state.height + speed, 0, (SIDE - CRAFT) * QUARTERS);
    const row = Math.floor((height + QUARTERS / 2) / QUARTERS); // to the nearest cell
    const next = this.nextColumn(state, draw);
    const pushed = (values, value) => [...values.slice(1), value];
    const after = {
      height,
      speed,
      rows: pushed(state.rows, row),
      ceiling: pushed(state.ceiling, next.ceiling),
      floor: pushed(state.floor, next.floor),
      block: pushed(state.block, next.block),
      distance: state.distance + 1,
      ending: state.ending,
    };
    if (state.ending === FLYING) after.ending = this.hit(row, after);
    const terminated = after.ending !== FLYING;
    return { state: after, reward: terminated ? 0 : 1, terminated };
  }

  /* Ceiling, floor and block of the column that comes into view. */
  nextColumn(state, draw) {
    const { SIDE, BLOCK_EVERY, BLOCK_WIDTH, BLOCK_HEIGHT, NARROWS_EVERY, NARROWS_AT } = Cave;
    const { LEAST_GAP, MARGIN, PASSAGE, NO_BLOCK } = Cave;
    const [ceiling, floor] = [state.ceiling.at(-1), state.floor.at(-1)];
    const column = state.distance + SIDE;
    const intoBlock = column % BLOCK_EVERY;
    const besideBlock = intoBlock < BLOCK_WIDTH;
    const pick = (count) => Math.floor(Math.fround(draw * count)); // one of 0 to count - 1

    const narrows = column % NARROWS_EVERY === NARROWS_AT && floor - ceiling > LEAST_GAP ? 1 : 0;
    const lowest = Math.max(narrows - 1, MARGIN - ceiling);
    const highest = Math.min(1, SIDE - MARGIN - floor + narrows);
    const shift = besideBlock ? 0 : lowest + pick(highest - lowest + 1);

    // A block may stand `belowCeiling` rows under the ceiling: 0..room, without those that leave no passage.
    const room = floor - ceiling - BLOCK_HEIGHT;
    const blocked = Math.max(0, 2 * PASSAGE - 1 - room); // how many of them
    let belowCeiling = pick(room + 1 - blocked);
    if (belowCeiling > room - PASSAGE) belowCeiling += blocked;
    const block = intoBlock === 0 ? ceiling + belowCeiling : state.block.at(-1);
    return { ceiling: ceiling + shift, floor: floor + shift - narrows, block: besideBlock ? block : NO_BLOCK };
  }

  /* What a craft whose top row is `row` touches. */
  hit(row, { ceiling, floor, block }) {
    const { FRAMES, CRAFT, CRAFT_COLUMN, BLOCK_HEIGHT, FLYING, CEILING, FLOOR, BLOCK } = Cave;
    const columns = Array.from({ length: CRAFT }, (_, i) => FRAMES - 1 + CRAFT_COLUMN + i);
    if (columns.some((c) => row < ceiling[c])) return CEILING;
    if (columns.some((c) => row + CRAFT > floor[c])) return FLOOR;
    if (columns.some((c) => row + CRAFT > block[c] && row < block[c] + BLOCK_HEIGHT)) return BLOCK;
    return FLYING;
  }

  observe(state) {
    return this.observation === "columns" ? this.columns(state) : this.screens(state);
  }

  /* Where ceiling, floor and blocks are in each column from the craft on, and how fast it is: [121]. */
  columns({ ceiling, floor, block, height, speed }) {
    const { AHEAD, SIDE, QUARTERS } = Cave;
    const half = (QUARTERS * SIDE) / 2;
    const edges = [ceiling, floor, block].flatMap((profile) => profile.slice(-AHEAD));
    const scale = Math.fround(1 / half);
    const seen = edges.map((edge) => Math.min(Math.max(QUARTERS * edge - height, -half), half) * scale);
    return Float32Array.from([...seen, speed / QUARTERS]);
  }

  /* The last four screens at half the resolution, [24, 24, 4]: the means of 2 x 2 cells, from the profiles. */
  screens({ ceiling, floor, block, rows, ending }) {
    const { HALF, FRAMES, PROFILE, CRAFT, CRAFT_COLUMN, BLOCK_HEIGHT, FLYING } = Cave;
    const cells = (count) => Math.min(Math.max(count, 0), 2);
    // How many rows the pair that starts at `top` shares with something `height` rows high that starts at `row`.
    const shared = (top, row, height) => cells(Math.min(row + height, top + 2) - Math.max(row, top));
    const seen = new Float32Array(HALF * HALF * FRAMES);
    for (let r = 0; r < HALF; r++) {
      const top = 2 * r;
      const rock = Array.from(
        { length: PROFILE },
        (_, c) => cells(ceiling[c] - top) + cells(top + 2 - floor[c]) + shared(top, block[c], BLOCK_HEIGHT),
      );
      for (let c = 0; c < HALF; c++) {
        for (let frame = 0; frame < FRAMES; frame++) {
          const left = frame + 2 * c;
          const gone = frame === FRAMES - 1 && ending !== FLYING;
          const craft = c === CRAFT_COLUMN / 2 && !gone ? CRAFT * shared(top, rows[frame], CRAFT) : 0;
          seen[(r * HALF + c) * FRAMES + frame] = (0.5 * (rock[left] + rock[left + 1]) + craft) / 4;
        }
      }
    }
    return seen;
  }

  picture({ ceiling, floor, block, rows, ending }) {
    const { SIDE, FRAMES, CRAFT, CRAFT_COLUMN, BLOCK_HEIGHT, FLYING, ROCK_KIND, CRAFT_KIND, CRASH_KIND } = Cave;
    const cells = new Uint8Array(SIDE * SIDE);
    for (let r = 0; r < SIDE; r++) {
      for (let c = 0; c < SIDE; c++) {
        const p = c + FRAMES - 1;
        const inBlock = r >= block[p] && r < block[p] + BLOCK_HEIGHT;
        if (r < ceiling[p] || r >= floor[p] || inBlock) cells[r * SIDE + c] = ROCK_KIND;
      }
    }
    const top = rows.at(-1);
    for (let r = top; r < top + CRAFT; r++) {
      const start = r * SIDE + CRAFT_COLUMN;
      cells.fill(ending === FLYING ? CRAFT_KIND : CRASH_KIND, start, start + CRAFT);
    }
    return { rows: SIDE, columns: SIDE, cells };
  }

  verdict(score, length) {
    return score === length ? "through!" : `crashed after ${score} steps`;
  }
}
