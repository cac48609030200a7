import { expect, test } from 'vitest';
import { readEntry } from './history-entry.ts';

const id = '01890a5d-ac96-774b-bcce-b302099a8057';

test('a line of a job that a worker finished is read', () => {
  const line =
    '[3,"succeeded",2,1000,1100,1200,"w",{"a":1},[true],' +
    '{"options":{"maxAttempts":2},"errors":[{"name":"E","message":"m"}]}]';
  expect(readEntry(id, line)).toEqual({
    id,
    laneId: 3,
    state: 'succeeded',
    attempt: 2,
    createdMs: 1000,
    startedMs: 1100,
    finishedMs: 1200,
    worker: 'w',
    payload: { a: 1 },
    output: [true],
    reason: undefined,
    options: { maxAttempts: 2 },
    errors: [{ name: 'E', message: 'm' }],
  });
});

test('a line of a job that was cancelled before it ran has no worker, no start and no output', () => {
  expect(readEntry(id, '[3,"cancelled",0,1000,null,1200,null,null,null,{"reason":"no need"}]')).toMatchObject(
    {
      state: 'cancelled',
      startedMs: undefined,
      worker: undefined,
      output: undefined,
      reason: 'no need',
      options: {},
      errors: [],
    },
  );
});
