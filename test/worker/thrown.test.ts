import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openSite, type Site, versions } from './site.ts';

function cyclic(): object {
  const made: { self?: object } = {};
  made.self = made;
  return made;
}

const unreadable = new Proxy(
  {},
  {
    get: () => {
      throw new Error('no');
    },
  },
);

const thrown: readonly (readonly [string, () => unknown, RegExp])[] = [
  ['null', () => null, /null/],
  ['undefined', () => undefined, /undefined/],
  ['a string', () => 'just text', /just text/],
  ['a number', () => 0, /0/],
  ['a cyclic object', cyclic, /object/i],
  ['an object that cannot be read', () => unreadable, /could not be read/],
  ['an error with a huge message', () => new Error('x'.repeat(50_000_000)), /^x{1000,1999}…$/],
  ['an error with a NUL character', () => new Error('a\u0000b'), /a\uFFFDb/],
  ['an error with half a character', () => new Error('a\uD800b'), /a\uFFFDb/],
  ['a symbol', () => Symbol('odd'), /odd/],
];

describe.each(versions)('what handlers throw, on PostgreSQL %i', (version) => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite(version);
  });
  afterAll(() => site.close());

  test.each(thrown)('a handler that throws %s has failed like any other', async (_name, what, message) => {
    const queue = await site.queue({ maxAttempts: 1 });
    const worker = await site.work(queue, {
      handlers: {
        now: () => {
          throw what();
        },
        soon: async () => {
          await Promise.resolve();
          throw what();
        },
        fine: () => 'still here',
      },
    });
    const requests = ['now', 'soon', 'fine'].map((kind) => ({ kind, queue }));
    const ids = (await site.lineshaft.enqueueMany(requests)).map((result) => result.id);
    const [now, soon, fine] = await site.lineshaft.waitFor(ids, { timeoutMs: 10_000 });
    expect(now).toMatchObject({
      state: 'failed',
      error: { message: expect.stringMatching(message), attempt: 1 },
    });
    expect(soon).toMatchObject({
      state: 'failed',
      error: { message: expect.stringMatching(message), attempt: 1 },
    });
    expect(fine).toMatchObject({ state: 'succeeded', output: 'still here' });
    await worker.stop();
  });
});
