import { describe, expect, it } from 'vitest';
import type { Run } from '../domain/workflow/run.ts';
import { readState } from '../domain/workflow/state.ts';
import { RunCache } from './run-cache.ts';

const stateOf = (id: string) => readState({ id, definition: { name: 'w', tasks: [] } } as unknown as Run, []);

describe('runs at hand', () => {
  it('keeps those that were used last, as far as bytes allow', () => {
    const cache = new RunCache({ stepsMax: 100, bytesMax: 100 });
    for (const id of ['a', 'b', 'c']) cache.put(stateOf(id), 40);
    expect([cache.get('a'), cache.get('b'), cache.get('c')].map((state) => state?.run.id)).toEqual([
      undefined,
      'b',
      'c',
    ]);
    cache.get('b');
    cache.put(stateOf('d'), 40);
    expect(cache.get('b')?.run.id).toBe('b');
    expect(cache.get('c')).toBeUndefined();
  });

  it('counts a run again as it grows, and keeps one that is larger than all bounds while it is used', () => {
    const cache = new RunCache({ stepsMax: 100, bytesMax: 100 });
    const grown = stateOf('a');
    cache.put(grown, 60);
    cache.put(stateOf('b'), 30);
    cache.put(grown, 60);
    expect(cache.get('b')).toBeUndefined();
    expect(cache.get('a')).toBe(grown);
    cache.put(stateOf('d'), 10);
    // The largest was there first, and is the last that is used: all others go, and it stays.
    cache.put(grown, 500);
    expect(cache.size).toBe(1);
    cache.drop('a');
    expect(cache.size).toBe(0);
    cache.put(stateOf('c'), 90);
    expect(cache.get('c')?.run.id).toBe('c');
  });
});
