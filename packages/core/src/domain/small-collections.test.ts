import fc from 'fast-check';
import { expect, test } from 'vitest';
import { both, SmallMap, SmallSet } from './small-collections.ts';

const key = fc.integer({ min: 0, max: 4 });
const act = fc.oneof(
  fc.record({ type: fc.constant('set' as const), key, value: fc.option(fc.integer(), { nil: undefined }) }),
  fc.record({ type: fc.constant('delete' as const), key }),
);

test('a small map has what a map has, in the same order, after whatever is done to both', () => {
  fc.assert(
    fc.property(fc.array(act, { maxLength: 30 }), (acts) => {
      const map = new Map<number, number | undefined>();
      const small = new SmallMap<number, number | undefined>();
      for (const each of acts) {
        if (each.type === 'delete') expect(small.delete(each.key)).toBe(map.delete(each.key));
        else {
          map.set(each.key, each.value);
          small.set(each.key, each.value);
        }
        expect(small.size).toBe(map.size);
        expect([...small]).toEqual([...map]);
        expect([...small.keys()]).toEqual([...map.keys()]);
        expect([...small.values()]).toEqual([...map.values()]);
        for (let of = 0; of <= 5; of += 1) {
          expect(small.has(of)).toBe(map.has(of));
          expect(small.get(of)).toBe(map.get(of));
        }
      }
    }),
  );
});

test('a small set has what a set has, in the same order, after whatever is done to both', () => {
  fc.assert(
    fc.property(fc.array(act, { maxLength: 30 }), (acts) => {
      const set = new Set<number>();
      const small = new SmallSet<number>();
      for (const each of acts) {
        if (each.type === 'delete') expect(small.delete(each.key)).toBe(set.delete(each.key));
        else {
          set.add(each.key);
          small.add(each.key);
        }
        expect(small.size).toBe(set.size);
        expect([...small]).toEqual([...set]);
        for (let of = 0; of <= 5; of += 1) expect(small.has(of)).toBe(set.has(of));
      }
    }),
  );
});

test('of two lists one of which is empty the other one is given back', () => {
  const [none, some]: readonly number[][] = [[], [1, 2]];
  expect(both(none ?? [], some ?? [])).toBe(some);
  expect(both(some ?? [], none ?? [])).toBe(some);
  expect(both([1], [2, 3])).toEqual([1, 2, 3]);
});
