import { describe, expect, it } from 'vitest';
import { longestRetryAfterMs, retryAfterMs } from './retry-after.ts';

const nowMs = Date.UTC(2026, 0, 1, 12);

describe('retryAfterMs', () => {
  it.each([
    ['a number of ms', { retryAfterMs: 1_500 }, 1_500],
    ['seconds', { retryAfter: 2 }, 2_000],
    ['seconds as a text', { retryAfter: ' 30 ' }, 30_000],
    ['a Date', { retryAfter: new Date(nowMs + 700) }, 700],
    ['an HTTP date', { retryAfter: 'Thu, 01 Jan 2026 12:01:00 GMT' }, 60_000],
    ['headers of any case', { headers: { 'Retry-After': '3' } }, 3_000],
    ['headers with several values', { headers: { 'retry-after': ['4', '5'] } }, 4_000],
    ['headers of fetch', { response: { headers: new Headers({ 'retry-after': '6' }) } }, 6_000],
    ['headers of a response', { response: { headers: { 'retry-after': '7' } } }, 7_000],
    ['what is too far away', { retryAfter: 1e12 }, longestRetryAfterMs],
  ])('reads %s', (_, error, expected) => {
    expect(retryAfterMs(Object.assign(new Error('slow down'), error), nowMs)).toBe(expected);
  });

  it.each([
    ['nothing', new Error('as told')],
    ['a time that is over', { retryAfter: 'Wed, 31 Dec 2025 12:00:00 GMT' }],
    ['at once', { retryAfter: '0' }],
    ['less than nothing', { retryAfterMs: -5 }],
    ['no number', { retryAfterMs: Number.NaN }],
    ['no date', { retryAfter: '2026-13-45' }],
    ['a word', { retryAfter: 'soon' }],
    ['null', null],
    ['a text', 'Retry-After: 5'],
    ['a response that is null', { response: null }],
    [
      'what throws when it is read',
      new Proxy(
        {},
        {
          get() {
            throw new Error('no');
          },
        },
      ),
    ],
  ])('finds nothing in %s', (_, thrown) => {
    expect(retryAfterMs(thrown, nowMs)).toBeUndefined();
  });
});
