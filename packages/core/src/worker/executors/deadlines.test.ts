import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Deadlines } from './deadlines.ts';

describe('deadlines', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('calls back for each item once, in time, and not for those that were deleted or moved', () => {
    const due: string[] = [];
    const deadlines = new Deadlines<string>((item) => due.push(item));
    const now = performance.now();
    deadlines.set('late', now + 60_000);
    deadlines.set('soon', now + 50);
    deadlines.set('deleted', now + 40);
    deadlines.set('moved', now + 40);
    deadlines.delete('deleted');
    deadlines.set('moved', now + 200);
    vi.advanceTimersByTime(100);
    expect(due).toEqual(['soon']);
    vi.advanceTimersByTime(150);
    expect(due).toEqual(['soon', 'moved']);
    vi.advanceTimersByTime(60_000);
    expect(due).toEqual(['soon', 'moved', 'late']);
  });

  it('holds limits that are longer than a timer can be', () => {
    const due: string[] = [];
    const deadlines = new Deadlines<string>((item) => due.push(item));
    const days40 = 40 * 24 * 60 * 60 * 1_000;
    deadlines.set('far', performance.now() + days40);
    vi.advanceTimersByTime(days40 - 1_000);
    expect(due).toEqual([]);
    vi.advanceTimersByTime(2_000);
    expect(due).toEqual(['far']);
  });

  it('lets a callback take another item off that is due as well', () => {
    const due: string[] = [];
    const deadlines = new Deadlines<string>((item) => {
      due.push(item);
      deadlines.delete('second');
    });
    const now = performance.now();
    deadlines.set('first', now + 10);
    deadlines.set('second', now + 10);
    vi.advanceTimersByTime(50);
    expect(due).toEqual(['first']);
  });
});
