import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  addBits,
  addPlaces,
  allPlaces,
  countPlaces,
  keepBoth,
  listPlaces,
  noPlaces,
  placesText,
  removeAll,
  segmentMax,
} from './places.ts';
import { addPlacesOfPrefix, SegmentWords } from './search-segment.ts';

const size = fc.integer({ min: 1, max: segmentMax });
const placesOf = (most: number) =>
  fc.uniqueArray(fc.nat({ max: most - 1 }), { minLength: 1 }).map((list) => list.sort((a, b) => a - b));
const sized = size.chain((most) => fc.record({ most: fc.constant(most), list: placesOf(most) }));

const setOf = (list: readonly number[], most: number) => {
  const places = noPlaces();
  addPlaces(places, placesText(list, most), most);
  return places;
};

test('a set of places is read as it was written', () => {
  fc.assert(
    fc.property(sized, ({ most, list }) => {
      const places = setOf(list, most);
      expect(listPlaces(places)).toEqual(list);
      expect(countPlaces(places)).toBe(list.length);
    }),
  );
});

test('both, and without', () => {
  fc.assert(
    fc.property(placesOf(segmentMax), placesOf(segmentMax), (one, other) => {
      const [both, without] = [setOf(one, segmentMax), setOf(one, segmentMax)];
      keepBoth(both, setOf(other, segmentMax));
      removeAll(without, setOf(other, segmentMax));
      expect(listPlaces(both)).toEqual(one.filter((place) => other.includes(place)));
      expect(listPlaces(without)).toEqual(one.filter((place) => !other.includes(place)));
    }),
  );
});

test('bits are those of set_bit in the database: bit 0 is the lowest of the first byte', () => {
  const places = noPlaces();
  addBits(places, '0180000001');
  expect(listPlaces(places)).toEqual([0, 15, 32]);
  for (const size of [1, 31, 32, 33, 1_000, 1_024]) {
    expect(listPlaces(allPlaces(size))).toEqual(Array.from({ length: size }, (_each, place) => place));
  }
});

test('every word is in the block that begins last before it, in the order of its bytes', () => {
  // As the database has them: no lone surrogates, nothing that stands between words.
  const word = fc
    .string({ unit: 'binary', minLength: 1, maxLength: 40 })
    .filter((text) => !/[\s\0]/.test(text));
  fc.assert(
    fc.property(fc.uniqueArray(word, { minLength: 1, maxLength: 40 }), (words) => {
      const segment = new SegmentWords();
      for (const [place, each] of words.entries()) segment.add(each, place);
      const blocks = segment.blocks(words.length);
      const firsts = blocks.map(({ first }) => Buffer.from(first));
      expect(firsts).toEqual(firsts.toSorted(Buffer.compare));
      for (const [place, each] of words.entries()) {
        const block = blocks.findLast(
          ({ first }) => Buffer.compare(Buffer.from(first), Buffer.from(each)) <= 0,
        );
        const line = block?.lines.split('\n').find((text) => text.startsWith(`${each} `));
        expect(line).toBe(`${each} ${words.length === 1 ? '*' : place}`);
      }
    }),
  );
});

test('the places of words that begin so', () => {
  const segment = new SegmentWords();
  for (const [place, word] of ['ada', 'adam', 'bob', 'ad'].entries()) segment.add(word, place);
  const [block] = segment.blocks(4);
  const placesOf = (prefix: string) => {
    const places = noPlaces();
    addPlacesOfPrefix(places, block?.lines ?? '', prefix, 4);
    return listPlaces(places);
  };
  expect(placesOf('ada')).toEqual([0, 1]);
  expect(placesOf('a')).toEqual([0, 1, 3]);
  expect(placesOf('b')).toEqual([2]);
  expect(placesOf('c')).toEqual([]);
});
