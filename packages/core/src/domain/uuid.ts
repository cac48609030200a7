/**
 * UUIDs of version 7 (RFC 9562, §5.7): made here, never relied on for order. Pure: clock and randomness are
 * given.
 */

const hex: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));
const lastMs = 2 ** 48 - 1;

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const uuidV7Pattern = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i;

/**
 * A UUIDv7 as lower-case text, from a time and 74 of 80 given random bits.
 *
 * @param nowMs Unix time in milliseconds, 0 to 2^48 − 1; a fraction is cut off.
 * @param random At least 10 random bytes; the first 10 are used.
 * @throws RangeError where an argument is outside of its range: a mistake of the caller's code, not of its
 * input.
 */
export function uuidV7(nowMs: number, random: Uint8Array): string {
  if (random.length < 10) throw new RangeError(`uuidV7 needs 10 random bytes, not ${random.length}`);
  const counter = ((at(random, 0) & 0x0f) << 22) | (at(random, 1) << 14) | ((at(random, 2) & 0x3f) << 8);
  const middle = counter | at(random, 3);
  return `${headOf(checkedMs(nowMs), middle >>> 14)}${tailOf(middle & 0x3fff, random, 4)}`;
}

/**
 * Makes UUIDv7s that rise within this process, also within one millisecond and when the clock goes back.
 *
 * RFC 9562 §6.2, method 1: `rand_a` and the 14 upper bits of `rand_b` are a counter of 26 bits. With each new
 * millisecond it starts at a random place (but in the last 64th of its range); the other 48 bits are random
 * in each id. A clock that goes back is not followed: the last time is kept and counted on. A full counter
 * moves the time on by 1 ms.
 *
 * @example const ids = new UuidSource(clock.now, (size) => randomFill(new Uint8Array(size)));
 */
export class UuidSource {
  readonly #clock: () => number;
  readonly #randomBytes: (size: number) => Uint8Array;
  #random: Uint8Array = new Uint8Array(0);
  #used = 0;
  #ms = -1;
  #counter = 0;
  /** The first 19 characters, which change once in 16,384 ids of the same millisecond. */
  #head = '';

  /**
   * @param clock Unix time in milliseconds.
   * @param randomBytes Gives as many unpredictable bytes as it is asked for; asked for blocks of 6 KiB.
   */
  constructor(clock: () => number, randomBytes: (size: number) => Uint8Array) {
    this.#clock = clock;
    this.#randomBytes = randomBytes;
  }

  /** The next id; greater, as text and as bytes, than every id that this source gave before. */
  next(): string {
    const now = this.#clock();
    if (now >= this.#ms + 1) this.#start(Math.floor(now));
    else if ((++this.#counter & 0x3fff) === 0) this.#carry();
    const place = this.#take(6);
    return this.#head + tailOf(this.#counter & 0x3fff, this.#random, place);
  }

  #start(ms: number): void {
    this.#ms = checkedMs(ms);
    const place = this.#take(4);
    const high = (at(this.#random, place) << 18) | (at(this.#random, place + 1) << 10);
    const seed = high | (at(this.#random, place + 2) << 2) | (at(this.#random, place + 3) & 3);
    // Room for a million ids before the counter is full.
    this.#counter = seed >>> 20 === 63 ? seed & 0x1ffffff : seed;
    this.#head = headOf(this.#ms, this.#counter >>> 14);
  }

  #carry(): void {
    if (this.#counter >>> 14 > 0xfff) this.#start(this.#ms + 1);
    else this.#head = headOf(this.#ms, this.#counter >>> 14);
  }

  /** The place of so many unused random bytes. */
  #take(size: number): number {
    if (this.#used + size > this.#random.length) {
      this.#random = this.#randomBytes(6144);
      if (this.#random.length < size) throw new RangeError('the source of randomness gave too few bytes');
      this.#used = 0;
    }
    const place = this.#used;
    this.#used += size;
    return place;
  }
}

/** Whether a text is a UUID of any version, in the usual form of 36 characters, in upper or lower case. */
export function isUuid(text: string): boolean {
  return text.length === 36 && uuidPattern.test(text);
}

/** Whether a text is a UUID of version 7, in the usual form of 36 characters, in upper or lower case. */
export function isUuidV7(text: string): boolean {
  return text.length === 36 && uuidV7Pattern.test(text);
}

/**
 * The Unix time in milliseconds that a UUIDv7 carries, by its maker's clock; undefined for any other text.
 */
export function uuidTimeMs(text: string): number | undefined {
  return isUuidV7(text) ? Number.parseInt(text.slice(0, 8) + text.slice(9, 13), 16) : undefined;
}

/** `tttttttt-tttt-7aaa-`. */
function headOf(ms: number, randA: number): string {
  const digits = ms.toString(16).padStart(12, '0');
  return `${digits.slice(0, 8)}-${digits.slice(8)}-7${randA.toString(16).padStart(3, '0')}-`;
}

/** `vccc-rrrrrrrrrrrr`: the variant with 14 bits, and six bytes from `place`. */
function tailOf(low: number, random: Uint8Array, place: number): string {
  return (
    hexOf(0x80 | (low >>> 8)) +
    hexOf(low & 0xff) +
    '-' +
    hexOf(at(random, place)) +
    hexOf(at(random, place + 1)) +
    hexOf(at(random, place + 2)) +
    hexOf(at(random, place + 3)) +
    hexOf(at(random, place + 4)) +
    hexOf(at(random, place + 5))
  );
}

function hexOf(byte: number): string {
  return hex[byte] ?? '';
}

function at(bytes: Uint8Array, place: number): number {
  return bytes[place] ?? 0;
}

function checkedMs(ms: number): number {
  const whole = Math.floor(ms);
  if (!(whole >= 0 && whole <= lastMs)) throw new RangeError(`a UUIDv7 cannot carry the time ${ms}`);
  return whole;
}
