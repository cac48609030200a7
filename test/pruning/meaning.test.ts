/** Rules over jobs that workers have really written mean what the evaluator says of what is shown of these jobs. */

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type JobFacts, matches } from '../../packages/core/src/domain/rule-match.ts';
import { type RuleNode, ruleOf } from '../../packages/core/src/domain/rules.ts';
import { openSite, type Site, versions } from '../worker/site.ts';

/** Ages are far from these bounds, so that the test does not depend on how fast it is. */
const comparisons: fc.Arbitrary<RuleNode> = fc.oneof(
  fc.record({
    field: fc.constantFrom('age' as const, 'finishedAge' as const),
    op: fc.constantFrom('gt' as const, 'lte' as const),
    value: fc.constantFrom('30m', '90m', '1d'),
  }),
  fc.record({
    field: fc.constant('kind' as const),
    op: fc.constantFrom('eq' as const, 'ne' as const, 'like' as const),
    value: fc.constantFrom('send', 'fail%', 'flaky', '%n%'),
  }),
  fc.record({
    field: fc.constant('queue' as const),
    op: fc.constantFrom('eq' as const, 'ne' as const),
    value: fc.constantFrom('first', 'second'),
  }),
  fc.record({
    field: fc.constant('state' as const),
    op: fc.constantFrom('eq' as const, 'ne' as const),
    value: fc.constantFrom('succeeded', 'failed', 'cancelled'),
  }),
  fc.record({
    field: fc.constant('label' as const),
    name: fc.constant('tenant'),
    op: fc.constantFrom('eq' as const, 'ne' as const),
    value: fc.constantFrom('acme', 'glob\nex "x"'),
  }),
  fc.record({
    field: fc.constant('size' as const),
    op: fc.constantFrom('lt' as const, 'gte' as const, 'eq' as const),
    value: fc.constantFrom(4, 11, 40),
  }),
  fc.record({
    field: fc.constant('attempts' as const),
    op: fc.constantFrom('gt' as const, 'eq' as const),
    value: fc.constantFrom(0, 1, 2),
  }),
);
const rules: fc.Arbitrary<RuleNode> = fc.oneof(
  comparisons,
  fc.record({ not: comparisons }),
  fc.record({ and: fc.array(comparisons, { minLength: 2, maxLength: 3 }) }),
  fc.record({ or: fc.array(comparisons, { minLength: 2, maxLength: 3 }) }),
);

describe.each(versions)('rules over jobs that workers wrote, on PostgreSQL %i', (version) => {
  let site: Site;
  const jobs: { id: string; facts: JobFacts }[] = [];
  let nowMs = 0;

  beforeAll(async () => {
    site = await openSite(version);
    const { lineshaft } = site;
    for (const name of ['first', 'second'])
      await lineshaft.declare({ name, maxAttempts: 2, backoff: { type: 'fixed', delayMs: 0 } });
    const handlers = {
      send: () => 'sent',
      fail: () => {
        throw new Error('no');
      },
      flaky: (_payload: unknown, job: { attempt: number }) => {
        if (job.attempt === 1) throw new Error('once');
      },
    };
    const payloads = [null, { n: 1 }, 'a text of some length with "quotes" and é', [1, 2, 3]];
    const sent = await lineshaft.enqueueMany(
      Array.from({ length: 48 }, (_, n) => ({
        kind: ['send', 'fail', 'flaky'][n % 3] ?? '',
        queue: n % 2 === 0 ? 'first' : 'second',
        payload: payloads[n % 4],
        ...(n % 5 === 0
          ? { labels: { tenant: 'acme' } }
          : n % 5 === 1
            ? { labels: { tenant: 'glob\nex "x"' } }
            : {}),
      })),
    );
    const dropped = await lineshaft.enqueueMany(
      ['first', 'second'].map((queue) => ({
        kind: 'send',
        queue,
        delayMs: 3_600_000,
        labels: { tenant: 'acme' },
      })),
    );
    await lineshaft.cancel(dropped.map(({ id }) => id));
    // Some were made an hour ago.
    await site.rows(
      "update lineshaft.job set created_at = date_trunc('milliseconds', created_at) - interval '1 hour' where priority = 0 and seq % 2 = 0",
    );
    await site.work(['first', 'second'], { handlers });
    await lineshaft.waitFor(
      sent.map(({ id }) => id),
      { timeoutMs: 30_000 },
    );
    await site.rest();
    for (const { id } of [...sent, ...dropped]) {
      const job = await lineshaft.showJob(id);
      jobs.push({
        id,
        facts: {
          createdMs: job.createdAt.getTime(),
          finishedMs: job.finishedAt?.getTime(),
          queue: job.queue,
          kind: job.kind,
          project: job.project,
          state: job.state,
          labels: job.options.labels ?? {},
          sizeBytes: Buffer.byteLength(JSON.stringify(job.payload)),
          attempts: job.attempt,
        },
      });
    }
    nowMs = Date.now();
  });
  afterAll(() => site.close());

  test('a count by a rule finds the jobs that the evaluator finds', async () => {
    expect(new Set(jobs.map(({ facts }) => facts.state))).toEqual(
      new Set(['succeeded', 'failed', 'cancelled']),
    );
    expect(new Set(jobs.map(({ facts }) => facts.attempts)).size).toBeGreaterThan(1);
    await fc.assert(
      fc.asyncProperty(rules, async (rule) => {
        const groups = await site.lineshaft.countPrunable({ rule });
        const found = groups.map(({ queue, outcome, jobs: count }) => [queue, outcome, count]);
        const expected = new Map<string, number>();
        for (const { facts } of jobs) {
          if (!matches(rule, facts, nowMs)) continue;
          const key = `${facts.queue} ${facts.state}`;
          expected.set(key, (expected.get(key) ?? 0) + 1);
        }
        expect(new Map(found.map(([queue, outcome, count]) => [`${queue} ${outcome}`, count]))).toEqual(
          expected,
        );
      }),
      { numRuns: 60 },
    );
  });

  test('pruning by a rule takes those jobs and no other', async () => {
    const rule = ruleOf('(label.tenant = acme or size >= 40) and not (kind = fail and queue = first)').node;
    const gone = jobs.filter(({ facts }) => matches(rule, facts, nowMs)).map(({ id }) => id);
    expect(gone.length).toBeGreaterThan(5);
    expect((await site.lineshaft.prune({ rule, batch: 7 })).pruned).toBe(gone.length);
    for (const { id, facts } of jobs) {
      const seen = await site.lineshaft.showJob(id).catch(() => undefined);
      expect(seen?.state).toBe(gone.includes(id) ? undefined : facts.state);
    }
  });
});
