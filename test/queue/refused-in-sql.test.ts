/** What `lineshaft.enqueue` refuses: with a state, the code of the catalogue, the field and the remedy. */

import type { DatabaseError } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openSite, type Site, versions } from '../worker/site.ts';
import { type Answer, enqueueInSql, refusalInSql, type SqlCall } from './sql-call.ts';

describe.each(versions)('mistakes when enqueueing in SQL, on PostgreSQL %i', (version) => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite(version);
  });
  afterAll(() => site.close());

  const enqueue = (...of: SqlCall): Promise<Answer> => enqueueInSql(site, ...of);
  const refusal = (...of: SqlCall): Promise<DatabaseError> => refusalInSql(site, ...of);

  const long = (length: number): string => 'x'.repeat(length);
  const wrong: [field: string, options: unknown][] = [
    ['options', []],
    ['options', 'queue'],
    ['options', 5],
    ['queue', { queue: 5 }],
    ['project', { project: {} }],
    ['priority', { priority: '5' }],
    ['priority', { priority: 1.5 }],
    ['priority', { priority: 40_000 }],
    ['delayMs', { delayMs: -1 }],
    ['delayMs', { delayMs: '1s' }],
    ['delayMs', { delayMs: 1, runAt: '2090-01-01T00:00Z' }],
    ['runAt', { runAt: 'tomorrow' }],
    ['runAt', { runAt: '2090-01-01T00:00' }],
    ['runAt', { runAt: '2090-02-30T00:00Z' }],
    ['runAt', { runAt: 5 }],
    ['maxAttempts', { maxAttempts: 0 }],
    ['maxAttempts', { maxAttempts: [3] }],
    ['backoff', { backoff: 'fixed' }],
    ['backoff.type', { backoff: { delayMs: 1 } }],
    ['backoff.delayMs', { backoff: { type: 'fixed' } }],
    ['backoff.delayMs', { backoff: { type: 'fixed', delayMs: -1 } }],
    ['backoff.factor', { backoff: { type: 'fixed', delayMs: 1, factor: 2 } }],
    ['backoff.factor', { backoff: { type: 'exponential', delayMs: 1, factor: 11 } }],
    ['backoff.limitMs', { backoff: { type: 'linear', delayMs: 10, limitMs: 9 } }],
    ['backoff.jitter', { backoff: { type: 'linear', delayMs: 10, jitter: '0.5' } }],
    ['unique', { unique: 'key' }],
    ['unique.key', { unique: {} }],
    ['unique.key', { unique: { key: '' } }],
    ['unique.key', { unique: { key: 5 } }],
    ['unique.key', { unique: { key: long(501) } }],
    ['unique', { unique: { key: 'a', onConflict: 'ignore' } }],
    ['unique', { unique: { key: 'a', states: ['ready'] } }],
    ['unique', { unique: { key: 'a', states: 'running' } }],
    ['unique.keepMs', { unique: { key: 'a', keepMs: 5 } }],
    ['unique.keepMs', { unique: { key: 'a', keepMs: '5', states: ['failed'] } }],
    ['requirements', { requirements: 'gpu' }],
    ['requirements', { requirements: [5] }],
    ['requirements', { requirements: Array.from({ length: 21 }, (_, n) => `t=${n}`) }],
    ['limits', { limits: 5 }],
    ['limits.timeoutMs', { limits: { timeoutMs: 0 } }],
    ['limits.memoryBytes', { limits: { memoryBytes: 1024 } }],
    ['labels', { labels: ['a'] }],
    ['labels.a', { labels: { a: 5 } }],
    ['labels.a', { labels: { a: long(256) } }],
    ['labels', { labels: Object.fromEntries(Array.from({ length: 21 }, (_, n) => [`k${n}`, 'v'])) }],
    ['meta', { meta: 'text' }],
    ['meta', { meta: { a: long(17_000) } }],
    ['retention', { retention: [] }],
    ['retention.failedMs', { retention: { failedMs: -1 } }],
    ['id', { id: 'one' }],
    ['id', { id: 5 }],
  ];
  test.each(wrong)('refuses a wrong %s: %j', async (field, options) => {
    const error = await refusal('greet', 1, options);
    expect(error).toMatchObject({ code: 'LS400' });
    expect(JSON.parse(error.detail ?? '')).toEqual({ code: 'OPTION_INVALID', field });
    expect(error.message).toContain(field.split('.')[0]);
    expect(error.hint).not.toBe('');
  });

  test.each([null, '', 'a kind', 'ä', long(201), '-a'])('refuses the kind %j', async (kind) => {
    expect(await refusal(kind, 1)).toMatchObject({
      code: 'LS400',
      detail: expect.stringContaining('"kind"'),
    });
  });

  test.each([
    ['prioritty', { prioritty: 1 }],
    ['kind', { kind: 'other' }],
    ['unique.keys', { unique: { key: 'a', keys: 1 } }],
    ['backoff.delay', { backoff: { type: 'fixed', delay: 1 } }],
    ['limits.timeout', { limits: { timeout: 1 } }],
    ['retention.succeeded', { retention: { succeeded: 1 } }],
  ])('refuses the unknown option %s', async (field, options) => {
    const error = await refusal('greet', 1, options);
    expect(error).toMatchObject({ code: 'LS400', message: `there is no option '${field}'` });
    expect(JSON.parse(error.detail ?? '')).toEqual({ code: 'OPTION_UNKNOWN', field });
    expect(error.hint).not.toBe('');
  });

  test('refuses a queue and a project that are not there', async () => {
    expect(await refusal('greet', 1, { queue: 'mial' })).toMatchObject({
      code: 'LS404',
      message: "queue 'mial' not found",
      hint: 'declare it: lineshaft queue declare NAME',
    });
    expect(await refusal('greet', 1, { project: 'nobody' })).toMatchObject({
      code: 'LS404',
      message: "project 'nobody' not found",
    });
  });

  test('refuses a payload that is too large, and names its size', async () => {
    const error = await refusal('greet', long(1_048_577));
    expect(error).toMatchObject({ code: 'LS413', message: expect.stringContaining('has 1048579 bytes') });
    expect(JSON.parse(error.detail ?? '')).toMatchObject({ code: 'PAYLOAD_TOO_LARGE', bytes: 1_048_579 });
    expect(error.hint).toContain('payload_max_bytes');
    expect((await enqueue('greet', long(1_000_000))).result).toBe('new');
  });

  test('PostgreSQL itself refuses a payload with NUL or with broken JSON', async () => {
    expect(await refusal('greet', 'a\u0000b')).toMatchObject({ code: '22P05' });
    expect(await refusal('a\u0000b')).toMatchObject({ code: '22021' });
    await expect(site.rows("select lineshaft.enqueue('greet', '{')")).rejects.toMatchObject({
      code: '22P02',
    });
  });

  test('nothing of what was refused is there', async () => {
    const [row] = await site.rows(
      "select count(*)::integer as jobs from lineshaft.lane where kind = 'a kind'",
    );
    expect(row).toEqual({ jobs: 0 });
  });
});
