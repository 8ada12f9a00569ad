"use strict";
/* Random numbers, the same as NumPy's: `new Draws(seed).take(n)` gives what
   `numpy.random.default_rng(seed).random(n, dtype=numpy.float32)` gives, so that a seed means the same game here and in
   Python. Seeds: O'Neill's seed_seq as in NumPy's SeedSequence; numbers: PCG64, XSL-RR (O'Neill 2014). */

const MASK_64 = (1n << 64n) - 1n;
const MASK_128 = (1n << 128n) - 1n;
const PCG_MULTIPLIER = 0x2360ed051fc65da44385df649fccf645n;
const POOL_SIZE = 4; // words

/** `count` words of 32 bits from a seed, or from a list of seeds, each a whole number below 2^32. */
function seedWords(seed, count) {
  const entropy = Array.isArray(seed) ? seed : [seed];
  let constant = 0x43b0d7e5;
  const hash = (word) => {
    word = (word ^ constant) >>> 0;
    constant = Math.imul(constant, 0x931e8875) >>> 0;
    word = Math.imul(word, constant) >>> 0;
    return (word ^ (word >>> 16)) >>> 0;
  };
  const mix = (x, y) => {
    const mixed = (Math.imul(x, 0xca01f9dd) - Math.imul(y, 0x4973f715)) >>> 0;
    return (mixed ^ (mixed >>> 16)) >>> 0;
  };
  const pool = Array.from({ length: POOL_SIZE }, (_, i) => hash(entropy[i] ?? 0));
  for (let from = 0; from < POOL_SIZE; from++) {
    for (let to = 0; to < POOL_SIZE; to++) {
      if (from !== to) pool[to] = mix(pool[to], hash(pool[from]));
    }
  }
  constant = 0x8b51f9dd;
  return Array.from({ length: count }, (_, i) => {
    let word = (pool[i % POOL_SIZE] ^ constant) >>> 0;
    constant = Math.imul(constant, 0x58f38ded) >>> 0;
    word = Math.imul(word, constant) >>> 0;
    return (word ^ (word >>> 16)) >>> 0;
  });
}

/** Uniform numbers in [0, 1) that float32 holds exactly, drawn from a seed. */
class Draws {
  constructor(seed) {
    const words = seedWords(seed, 8).map(BigInt);
    const [a, b, c, d] = [0, 2, 4, 6].map((i) => words[i] | (words[i + 1] << 32n));
    this.increment = ((((c << 64n) | d) << 1n) | 1n) & MASK_128;
    this.state = 0n;
    this.advance();
    this.state = (this.state + ((a << 64n) | b)) & MASK_128;
    this.advance();
    this.spare = null; // the upper half of the last number, which is used next
  }

  advance() {
    this.state = (this.state * PCG_MULTIPLIER + this.increment) & MASK_128;
  }

  /** A word of 32 bits. */
  word() {
    if (this.spare !== null) {
      const word = this.spare;
      this.spare = null;
      return word;
    }
    this.advance();
    const turn = this.state >> 122n;
    const folded = (this.state >> 64n) ^ (this.state & MASK_64);
    const drawn = ((folded >> turn) | (folded << (64n - turn))) & MASK_64;
    this.spare = Number(drawn >> 32n);
    return Number(drawn & 0xffffffffn);
  }

  /** The next `count` numbers. */
  take(count) {
    return Array.from({ length: count }, () => (this.word() >>> 8) / 2 ** 24);
  }
}

/** Draws that were written down before: a test feeds Python and this page the same list. */
class GivenDraws {
  constructor(numbers) {
    this.numbers = numbers;
    this.used = 0;
  }

  take(count) {
    if (this.used + count > this.numbers.length) throw new Error("more draws are needed than were given");
    this.used += count;
    return this.numbers.slice(this.used - count, this.used);
  }
}
