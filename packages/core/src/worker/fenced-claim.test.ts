import { expect, test } from 'vitest';
import { LineshaftError } from '../domain/errors.ts';
import type { Row } from '../store/session.ts';
import { fencedClaim } from './fenced-claim.ts';

const rows: Row[] = [['7', 'a job']];

function worker(renewing?: Promise<void>) {
  const host = {
    row: '1',
    disowned: 0,
    rest: { renewing },
    workerRow: () => host.row,
    onDisowned: async () => {
      host.disowned += 1;
    },
  };
  return host;
}

const refused = new LineshaftError('DATABASE_FAILED', { message: 'no', details: { sqlstate: '23503' } });

test('what is claimed counts once the lease is renewed', async () => {
  const renewed = Promise.withResolvers<void>();
  const host = worker(renewed.promise);
  let taken: Row[] | undefined;
  const claimed = fencedClaim(host, async (row) => (row === '1' ? rows : [])).then((given) => {
    taken = given;
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(taken).toBeUndefined();
  renewed.resolve();
  await claimed;
  expect(taken).toBe(rows);
});

test('what was claimed under a row that was swept away meanwhile is not taken', async () => {
  const renewed = Promise.withResolvers<void>();
  const host = worker(renewed.promise);
  const claimed = fencedClaim(host, async () => rows);
  host.row = '2';
  renewed.resolve();
  expect(await claimed).toBeUndefined();
  expect(host.disowned).toBe(0);
});

test('a refused worker comes back, unless the renewal of its lease has seen to that', async () => {
  const host = worker();
  expect(await fencedClaim(host, () => Promise.reject(refused))).toBeUndefined();
  expect(host.disowned).toBe(1);
  const back = worker(
    Promise.resolve().then(() => {
      back.row = '2';
    }),
  );
  expect(await fencedClaim(back, () => Promise.reject(refused))).toBeUndefined();
  expect(back.disowned).toBe(0);
});

test('other errors are thrown', async () => {
  await expect(fencedClaim(worker(), () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
});
