import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isUuid, isUuidV7, UuidSource, uuidTimeMs, uuidV7 } from './uuid.ts';

const tenBytes = fc.uint8Array({ minLength: 10, maxLength: 10 });
const anyMs = fc.integer({ min: 0, max: 2 ** 48 - 1 });

/** Random bytes that are the same in each run. */
function seededBytes(seed: number): (size: number) => Uint8Array {
  let state = seed | 1;
  return (size) =>
    Uint8Array.from({ length: size }, () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
      return state >>> 24;
    });
}

test('the example of RFC 9562, appendix A.6, is made of its fields', () => {
  // rand_a = 0xCC3, rand_b = 0x18C4DC0C0C07398F: 4 + 8 bits, then 62 bits, of which the first 14 stand apart.
  const random = Uint8Array.of(0x0c, 0xc3, 0x18, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f);
  expect(uuidV7(0x017f22e279b0, random)).toBe('017f22e2-79b0-7cc3-98c4-dc0c0c07398f');
});

test('each is a UUID of version 7 that carries its time', () => {
  fc.assert(
    fc.property(anyMs, tenBytes, (ms, random) => {
      const id = uuidV7(ms, random);
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      expect(isUuidV7(id)).toBe(true);
      expect(uuidTimeMs(id)).toBe(ms);
    }),
  );
});

test('every one of the 74 random bits is used', () => {
  const ids = new Set<string>();
  for (let bit = 0; bit < 80; bit++) {
    const random = new Uint8Array(10);
    random[bit >> 3] = 1 << (bit & 7);
    ids.add(uuidV7(0, random));
  }
  // Six bits are not used, and all of those give the id without any bit.
  expect(ids.size).toBe(74 + 1);
});

test.each([[-1], [2 ** 48], [Number.NaN], [Number.POSITIVE_INFINITY]])('the time %d is refused', (ms) => {
  expect(() => uuidV7(ms, new Uint8Array(10))).toThrow(RangeError);
});

test('too few random bytes are refused', () => {
  expect(() => uuidV7(0, new Uint8Array(9))).toThrow(RangeError);
  expect(() =>
    new UuidSource(
      () => 0,
      () => new Uint8Array(1),
    ).next(),
  ).toThrow(RangeError);
});

test('ids of a source rise, whatever its clock does', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 2, maxLength: 300 }),
      fc.nat(),
      (times, seed) => {
        let call = 0;
        const source = new UuidSource(() => 1_700_000_000_000 + (times[call++] ?? 0), seededBytes(seed));
        const ids = times.map(() => source.next());
        expect(ids).toEqual([...new Set(ids)].sort());
        expect(ids.every(isUuidV7)).toBe(true);
      },
    ),
  );
});

test('100,000 ids of one millisecond rise, and differ in their random end', () => {
  const source = new UuidSource(() => 1_700_000_000_000.75, seededBytes(7));
  const ids = Array.from({ length: 100_000 }, () => source.next());
  expect(ids.every((id, place) => place === 0 || id > (ids[place - 1] ?? ''))).toBe(true);
  expect(new Set(ids.map((id) => id.slice(24))).size).toBeGreaterThan(99_990);
  expect(uuidTimeMs(ids[0] ?? '')).toBe(1_700_000_000_000);
});

test('a full counter moves the time on by a millisecond and goes on rising', () => {
  // The highest place at which a counter may start: 2^20 below its end.
  let asked = 0;
  const highest = (size: number) => {
    const bytes = new Uint8Array(size);
    if (asked++ === 0) bytes.set([0xfb, 0xff, 0xff, 0x03]);
    return bytes;
  };
  const source = new UuidSource(() => 1_000, highest);
  const ids = Array.from({ length: 2 ** 20 + 2 }, () => source.next());
  expect(ids.every((id, place) => place === 0 || id > (ids[place - 1] ?? ''))).toBe(true);
  expect(uuidTimeMs(ids.at(-3) ?? '')).toBe(1_000);
  expect(uuidTimeMs(ids.at(-1) ?? '')).toBe(1_001);
});

test('two sources of the same millisecond do not meet', () => {
  const first = new UuidSource(() => 5, seededBytes(1));
  const second = new UuidSource(() => 5, seededBytes(2));
  const ids = new Set(Array.from({ length: 10_000 }, () => [first.next(), second.next()]).flat());
  expect(ids.size).toBe(20_000);
});

test.each([
  ['017f22e2-79b0-7cc3-98c4-dc0c0c07398f', true, true],
  ['017F22E2-79B0-7CC3-98C4-DC0C0C07398F', true, true],
  ['9b2a7c1e-0b7f-4a55-8a3c-1b2c3d4e5f60', true, false],
  ['017f22e2-79b0-7cc3-18c4-dc0c0c07398f', true, false],
  ['00000000-0000-0000-0000-000000000000', true, false],
  ['{017f22e2-79b0-7cc3-98c4-dc0c0c07398f}', false, false],
  ['017f22e279b07cc398c4dc0c0c07398f', false, false],
  ['017f22e2-79b0-7cc3-98c4-dc0c0c07398f\n', false, false],
  ['', false, false],
])('%j: a UUID %s, of version 7 %s', (text, uuid, v7) => {
  expect(isUuid(text)).toBe(uuid);
  expect(isUuidV7(text)).toBe(v7);
  expect(uuidTimeMs(text) !== undefined).toBe(v7);
});
