import { expect, test } from 'vitest';
import { EmptiedLeases } from './emptied-leases.ts';
import { Lease } from './held-job.ts';

/** Leases whose rows are dropped when `answer` is called, and in which statements they were. */
function site() {
  const statements: (readonly string[])[] = [];
  const answers: { resolve: () => void; reject: (error: Error) => void }[] = [];
  const emptied = new EmptiedLeases((leases) => {
    statements.push(leases);
    return new Promise<void>((resolve, reject) => answers.push({ resolve, reject }));
  });
  return { emptied, statements, answers };
}

function lease(id: string, unsettled = 0): Lease {
  return Object.assign(new Lease(id, 0), { unsettled });
}

test('a lease goes when nothing of it is left, once, and not where a write has taken it', () => {
  const { emptied, statements } = site();
  const one = lease('1', 1);
  emptied.look(one);
  expect(statements).toEqual([]);
  one.unsettled = 0;
  emptied.look(one);
  emptied.look(one);
  emptied.look(Object.assign(lease('2'), { isGone: true }));
  expect(statements).toEqual([['1']]);
  expect(one.isGone).toBe(true);
});

test('those that come meanwhile go together, also after one that failed', async () => {
  const { emptied, statements, answers } = site();
  for (const id of ['1', '2', '3']) emptied.look(lease(id));
  const settled = emptied.settled();
  answers[0]?.reject(new Error('away'));
  await expect.poll(() => statements.length).toBe(2);
  answers[1]?.resolve();
  await settled;
  expect(statements).toEqual([['1'], ['2', '3']]);
  emptied.look(lease('4'));
  expect(statements).toHaveLength(3);
});
