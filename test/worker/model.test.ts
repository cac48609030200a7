import fc from 'fast-check';
import { afterAll, beforeAll, describe, test } from 'vitest';
import type { Session } from '../../packages/core/src/store/session.ts';
import { type End, ModelledQueue, openSessions } from './model.ts';
import { openSite, type Site, versions } from './site.ts';

type Command = (queue: ModelledQueue) => Promise<void>;

const worker = fc.nat({ max: 2 });
const place = fc.nat({ max: 40 });
const end: fc.Arbitrary<End> = fc.constantFrom(
  'succeed',
  'cancel',
  'retry',
  'snooze',
  'give-back',
  'fail',
  'block',
);

/** Each prints what it does, so that a counterexample can be read. */
function command<Values extends unknown[]>(
  name: string,
  values: { [Place in keyof Values]: fc.Arbitrary<Values[Place]> },
  run: (queue: ModelledQueue, ...values: Values) => Promise<void>,
): fc.Arbitrary<Command> {
  return fc.tuple<Values>(...values).map((drawn) => {
    const act: Command = (queue) => run(queue, ...drawn);
    return Object.assign(act, { toString: () => `${name}(${JSON.stringify(drawn)})` });
  });
}

const commands = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: command<[number, boolean, string | undefined]>(
        'enqueue',
        [fc.nat({ max: 2 }), fc.boolean(), fc.option(fc.constantFrom('a', 'b'), { nil: undefined })],
        (queue, priority, later, key) => queue.enqueue(priority, later, key),
      ),
    },
    {
      weight: 5,
      arbitrary: command<[number, number]>(
        'claim',
        [worker, fc.integer({ min: 1, max: 4 })],
        (queue, who, take) => queue.claim(who, take),
      ),
    },
    {
      weight: 5,
      arbitrary: command<[number, End[]]>(
        'finish',
        [worker, fc.array(end, { minLength: 1, maxLength: 4 })],
        (queue, who, ends) => queue.finish(who, ends),
      ),
    },
    { weight: 2, arbitrary: command<[number]>('rescue', [worker], (queue, who) => queue.rescue(who)) },
    { weight: 2, arbitrary: command<[]>('promote', [], (queue) => queue.promote()) },
    { weight: 1, arbitrary: command<[number]>('cancel', [place], (queue, which) => queue.cancel(which)) },
    { weight: 2, arbitrary: command<[number]>('retry', [place], (queue, which) => queue.retry(which)) },
    { weight: 1, arbitrary: command<[number]>('delete', [place], (queue, which) => queue.remove(which)) },
  ),
  { minLength: 5, maxLength: 40, size: 'max' },
);

describe.each(versions)('the queue against a model, on PostgreSQL %i', (version) => {
  let site: Site;
  let sessions: Session[] = [];
  beforeAll(async () => {
    site = await openSite(version);
    sessions = openSessions(site.url, 3);
  });
  afterAll(async () => {
    await Promise.all(sessions.map((session) => session.close()));
    await site.close();
  });

  test('no job is lost or in two places, and all are where they belong, whatever is done', async () => {
    const property = fc.asyncProperty(commands, async (list) => {
      const queue = await ModelledQueue.make(site, sessions);
      await queue.enqueue(0, false, undefined);
      for (const act of list) {
        await act(queue);
        await queue.check();
      }
    });
    await fc.assert(property, {
      numRuns: 1_000,
      interruptAfterTimeLimit: 7_000,
      markInterruptAsFailure: false,
    });
  });
});
