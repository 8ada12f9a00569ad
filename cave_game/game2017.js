"use strict";
/* CAVE as its author wrote it: the rules of cave_game/game2017.py, for one game in a browser. Same draws, same states.
   (Narrow starts are for training, and are Python's alone.) */

class Cave2017 {
  static SIDE = 48; // cells of the screen
  static CELL = 50; // heights and speeds are whole numbers of fiftieths of a cell
  static MIDDLE = 1200; // the height that the craft starts at, and that it is always shown at
  static CRAFT_COLUMN = 15; // where it collides
  static CRAFT_PLACE = [23, 14]; // row and column of the cell that it is drawn in
  static ACCELERATION = 4; // fiftieths of a cell per step, per step
  static FIRST_HALF = 660; // from the centre to the ceiling and to the floor
  static LEAST_HALF = 360;
  static NARROWS_EVERY = 51; // steps
  static NARROWS_BY = 12; // of each half
  static CHANCES = 120; // how many values the number takes that moves the centre
  static UP = 72;
  static DOWN = 48;
  static UP_AGAIN = 24;
  static DOWN_AGAIN = 96;
  static FIRST_BLOCK = 51; // steps
  static BLOCK_EVERY = 21;
  static BLOCK_WIDTH = 2; // cells
  static BLOCK_HEIGHT = 300; // fiftieths of a cell
  static NO_BLOCK = 2 ** 28; // upper edge of a block where there is none
  static TAIL = 14; // cells of it that are drawn
  static AGES = { published: [8, 6, 4, 2, 0], halved: [6, 4, 2, 0] }; // how many steps ago each screen was
  static AHEAD = 33; // columns from the craft to the right edge of the screen
  static TOP_SPEED = 200; // that columns tell
  static OLDEST = 8;
  static HEIGHTS = 22; // heights and columns that the last nine screens show
  static PROFILE = 56;
  static HALF = 24; // values on a side of a halved screen
  // What has ended the game.
  static FLYING = 0;
  static CEILING = 1;
  static FLOOR = 2;
  static BLOCK = 3;
  // Kinds of cells, and how bright the network sees them.
  static FREE_KIND = 0;
  static ROCK_KIND = 1;
  static CRAFT_KIND = 2;
  static CRASH_KIND = 3;
  static BLOCK_KIND = 4;
  static TAIL_KIND = 5;
  static BRIGHTNESS = [0, 0.4, 1, 1, 0.5, 0.8];

  numActions = 2; // 0 button released, 1 button held
  resetDraws = 0;
  stepDraws = 2;
  colours = [[24, 26, 32], [92, 98, 112], [255, 196, 61], [239, 71, 72], [138, 146, 162], [150, 112, 36]];

  constructor({ observation, quirks, reward }) {
    Object.assign(this, { observation, quirks, reward });
  }

  reset() {
    const { MIDDLE, FIRST_HALF, HEIGHTS, PROFILE, NO_BLOCK, FLYING } = Cave2017;
    return {
      heights: Array(HEIGHTS).fill(MIDDLE),
      speed: 0,
      ceiling: Array(PROFILE).fill(MIDDLE - FIRST_HALF),
      floor: Array(PROFILE).fill(MIDDLE + FIRST_HALF),
      block: Array(PROFILE).fill(NO_BLOCK),
      slope: 0,
      last_block: NO_BLOCK,
      steps: 0,
      ending: FLYING,
    };
  }

  step(state, action, [centreDraw, blockDraw]) {
    const { ACCELERATION, FIRST_BLOCK, BLOCK_EVERY, BLOCK_WIDTH, NO_BLOCK, FLYING } = Cave2017;
    const flying = state.ending === FLYING;
    const speed = flying ? state.speed + ACCELERATION * (1 - 2 * action) : 0;
    const height = state.heights.at(-1) + speed;
    const steps = state.steps + 1;
    const { centre, slope } = this.nextCentre(state, centreDraw);
    const half = this.half(steps);
    // A block's columns come into view after it has appeared.
    const inBlock = steps > FIRST_BLOCK && (steps - FIRST_BLOCK - 1) % BLOCK_EVERY < BLOCK_WIDTH;
    const appears = steps >= FIRST_BLOCK && (steps - FIRST_BLOCK) % BLOCK_EVERY === 0;
    const pushed = (values, value) => [...values.slice(1), value];
    const after = {
      heights: pushed(state.heights, height),
      speed,
      ceiling: pushed(state.ceiling, centre - half),
      floor: pushed(state.floor, centre + half),
      block: pushed(state.block, inBlock ? state.last_block : NO_BLOCK),
      slope,
      last_block: appears ? this.nextBlock(centre, half, blockDraw) : state.last_block,
      steps,
      ending: state.ending,
    };
    if (flying) after.ending = this.hit(height, after);
    const terminated = after.ending !== FLYING;
    const reward = this.reward === "crash" ? (terminated ? -1 : 0) : terminated ? 0 : 1;
    return { state: after, reward, terminated };
  }

  /* The centre of the column that comes into view, and its slope. */
  nextCentre(state, draw) {
    const { CHANCES, UP, DOWN, UP_AGAIN, DOWN_AGAIN } = Cave2017;
    const chance = Math.floor(Math.fround(draw * CHANCES));
    const centre = (state.ceiling.at(-1) + state.floor.at(-1)) / 2;
    if (chance >= (state.slope === 1 ? UP_AGAIN : UP)) return { centre: centre + 2 * (chance - UP) + 1, slope: 1 };
    if (chance < (state.slope === -1 ? DOWN_AGAIN : DOWN)) {
      return { centre: centre + 2 * (chance - DOWN) + 1, slope: -1 };
    }
    return { centre, slope: 0 };
  }

  /* The height of a block's upper edge beside the newest column. */
  nextBlock(centre, half, draw) {
    const { CELL, BLOCK_HEIGHT } = Cave2017;
    const first = Math.trunc((centre - half) / CELL);
    const places = Math.trunc((centre + half - BLOCK_HEIGHT) / CELL) - first;
    return CELL * (first + Math.floor(Math.fround(draw * places)));
  }

  /* From the centre to ceiling and floor in the column that comes into view at a step. */
  half(steps) {
    const { FIRST_HALF, LEAST_HALF, NARROWS_BY, NARROWS_EVERY } = Cave2017;
    return Math.max(FIRST_HALF - NARROWS_BY * Math.floor(steps / NARROWS_EVERY), LEAST_HALF);
  }

  /* What a craft at this height touches. */
  hit(height, { ceiling, floor, block }) {
    const { OLDEST, CRAFT_COLUMN, BLOCK_HEIGHT, FLYING, CEILING, FLOOR, BLOCK } = Cave2017;
    const here = OLDEST + CRAFT_COLUMN;
    if (height <= ceiling[here]) return CEILING;
    if (height >= floor[here]) return FLOOR;
    // The author's blocks end one column further right.
    const tops = block.slice(here - 1, here + 1);
    return tops.some((top) => top <= height && height <= top + BLOCK_HEIGHT) ? BLOCK : FLYING;
  }

  observe(state) {
    if (this.observation === "columns") return this.columns(state);
    const ages = Cave2017.AGES[this.observation];
    return this.observation === "halved" ? this.halved(state, ages) : this.published(state, ages);
  }

  /* Where ceiling, floor and blocks are in each column from the craft on, and how fast it is: [100]. */
  columns({ ceiling, floor, block, heights, speed }) {
    const { AHEAD, MIDDLE, CELL, TOP_SPEED } = Cave2017;
    const within = (value, most) => Math.min(Math.max(value, -most), most);
    const edges = [ceiling, floor, block].flatMap((profile) => profile.slice(-AHEAD));
    const scale = Math.fround(1 / MIDDLE);
    const seen = edges.map((edge) => within(edge - heights.at(-1), MIDDLE) * scale);
    return Float32Array.from([...seen, within(speed, TOP_SPEED) * Math.fround(1 / CELL)]);
  }

  /* Whole screens, oldest first: [5, 48, 48]. */
  published(state, ages) {
    const { SIDE, BRIGHTNESS } = Cave2017;
    const seen = new Float32Array(ages.length * SIDE * SIDE);
    ages.forEach((age, i) => {
      seen.set(Array.from(this.screen(state, age), (kind) => BRIGHTNESS[kind]), i * SIDE * SIDE);
    });
    return seen;
  }

  /* What is to be seen on the screen of an age, in fiftieths of a cell below its upper edge. */
  onScreen(state, age) {
    const { SIDE, MIDDLE, HEIGHTS, PROFILE, FIRST_BLOCK, BLOCK_EVERY, BLOCK_WIDTH, NO_BLOCK } = Cave2017;
    const shift = state.heights[HEIGHTS - 1 - age] - MIDDLE;
    const shifted = (profile) => profile.slice(PROFILE - age - SIDE, PROFILE - age).map((edge) => edge - shift);
    const block = shifted(state.block);
    // A block is gone when its left column has left the screen.
    const since = state.steps - age - SIDE - FIRST_BLOCK;
    if (since > 0 && since % BLOCK_EVERY === BLOCK_WIDTH - 1) block[0] = NO_BLOCK;
    return { ceiling: shifted(state.ceiling), floor: shifted(state.floor), block };
  }

  /* The kind of each cell on the screen of an age. */
  screen(state, age) {
    const { SIDE, CELL, MIDDLE, HEIGHTS, TAIL, BLOCK_HEIGHT } = Cave2017;
    const { ROCK_KIND, BLOCK_KIND, TAIL_KIND, CRAFT_KIND } = Cave2017;
    const { ceiling, floor, block } = this.onScreen(state, age);
    const tail = state.heights.slice(HEIGHTS - age - TAIL, HEIGHTS - age);
    const path = [...tail.map((height) => height - tail.at(-1) + MIDDLE), MIDDLE];
    const cells = new Uint8Array(SIDE * SIDE);
    for (let c = 0; c < SIDE; c++) {
      const bottom = this.drawn(floor[c]);
      const [upper, lower] = [this.drawn(block[c]), this.drawn(block[c] + BLOCK_HEIGHT)];
      const [first, last] = c <= TAIL ? [this.drawn(path[c] - CELL / 2), this.drawn(path[c] + CELL / 2)] : [0, 0];
      for (let r = 0; r < SIDE; r++) {
        // An edge is drawn at row trunc(height): row r lies above it if its lower edge is not beyond that height.
        const edge = CELL * (r + 1);
        let kind = edge > first && edge <= last ? (c < TAIL ? TAIL_KIND : CRAFT_KIND) : 0;
        if (edge > upper && edge <= lower) kind = BLOCK_KIND;
        if (edge <= ceiling[c] || edge > bottom) kind = ROCK_KIND;
        cells[r * SIDE + c] = kind;
      }
    }
    return cells;
  }

  /* Where an edge is drawn. With the author's quirk, rows from -1 on upwards are those at the screen's end. */
  drawn(edge) {
    const { CELL, SIDE } = Cave2017;
    return this.quirks && edge <= -CELL ? edge + CELL - 1 + SIDE * CELL : edge;
  }

  /* Screens as the share of 2 x 2 cells that is rock or block: [24, 24, 4]. */
  halved(state, ages) {
    const { HALF, CELL, BLOCK_HEIGHT } = Cave2017;
    const square = 2 * CELL;
    const within = (height) => Math.min(Math.max(height, 0), square);
    const scale = Math.fround(1 / (2 * square));
    const seen = new Float32Array(HALF * HALF * ages.length);
    ages.forEach((age, frame) => {
      const { ceiling, floor, block } = this.onScreen(state, age);
      for (let r = 0; r < HALF; r++) {
        const [above, below] = [square * r, square * (r + 1)];
        const solid = ceiling.map((edge, c) => {
          const rock = within(edge - above) + within(below - floor[c]);
          const inBlock = Math.min(block[c] + BLOCK_HEIGHT, below) - Math.max(block[c], above);
          return Math.min(rock + within(inBlock), square);
        });
        for (let c = 0; c < HALF; c++) {
          seen[(r * HALF + c) * ages.length + frame] = (solid[2 * c] + solid[2 * c + 1]) * scale;
        }
      }
    });
    return seen;
  }

  picture(state) {
    const { SIDE, CRAFT_PLACE, FREE_KIND, CRAFT_KIND, CRASH_KIND, FLYING } = Cave2017;
    const cells = this.screen(state, 0).map((kind) => (kind === CRAFT_KIND ? FREE_KIND : kind));
    cells[CRAFT_PLACE[0] * SIDE + CRAFT_PLACE[1]] = state.ending === FLYING ? CRAFT_KIND : CRASH_KIND;
    return { rows: SIDE, columns: SIDE, cells };
  }

  verdict(score, length) {
    const through = score === 0 || score === length;
    return through ? "through!" : `crashed at step ${length}`;
  }
}
