import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { checkRule } from '../domain/rule-check.ts';
import { type JobFacts, matches } from '../domain/rule-match.ts';
import type { RuleNode } from '../domain/rules.ts';
import { createDatabase } from '../testing/server.ts';
import { migrate } from './migrate.ts';
import { RuleCompiler } from './rule-sql.ts';
import { bindSchema } from './schema-name.ts';

const schema = 'elsewhere';
const nowMs = 1_700_000_000_000;
const hourMs = 3_600_000;
const queues = ['mail', 'mails', 'Re_port', 'a%b\\c'];
const kinds = ['report-daily', 'report_x', 'send', 'o\'dd"é😀'];
const tenants = ['acme', 'globex', '', '%'];

/** A lane for each queue and kind, and two that are gone: ids 1 to 16, and 17, 18. */
const laneCount = queues.length * kinds.length;

interface Batched {
  readonly lane: number;
  readonly facts: JobFacts;
}

const hours = fc.integer({ min: 0, max: 5 });
const jobOf = (finishedMs: number | undefined, outcome: string): fc.Arbitrary<Batched> =>
  fc
    .record({
      lane: fc.integer({ min: 1, max: laneCount + 2 }),
      made: hours,
      labels: fc.dictionary(fc.constantFrom('tenant', 'toString'), fc.constantFrom(...tenants), {
        maxKeys: 2,
      }),
      sizeBytes: fc.integer({ min: 0, max: 4 }),
      attempts: fc.integer({ min: 0, max: 4 }),
      priority: fc.option(fc.integer({ min: -2, max: 2 }), { nil: undefined }),
    })
    .map(({ lane, made, ...rest }) => ({
      lane,
      facts: {
        ...rest,
        createdMs: (finishedMs ?? nowMs) - made * hourMs,
        finishedMs,
        queue: lane > laneCount ? undefined : queues[Math.floor((lane - 1) / kinds.length)],
        kind: lane > laneCount ? undefined : kinds[(lane - 1) % kinds.length],
        project: lane > laneCount ? undefined : 'default',
        state: outcome,
      },
    }));

const text = (values: readonly string[]): fc.Arbitrary<string> =>
  fc.constantFrom(...values.filter((value) => value !== ''));
const pattern = fc
  .array(fc.constantFrom('%', '_', 'report', '-daily', 'mail', '\\%', 'a', '.', '\\\\', '😀', '('), {
    minLength: 1,
    maxLength: 4,
  })
  .map((parts) => parts.join(''));

function textComparison(field: string, values: readonly string[], name?: string): fc.Arbitrary<unknown> {
  const of = name === undefined ? { field } : { field, name };
  return fc.oneof(
    text(values).chain((value) => fc.constantFrom('eq', 'ne').map((op) => ({ ...of, op, value }))),
    fc.array(text(values), { minLength: 1, maxLength: 3 }).map((value) => ({ ...of, op: 'in', value })),
    pattern.map((value) => ({ ...of, op: 'like', value })),
  );
}

function ordered(field: string, value: fc.Arbitrary<unknown>, ops: readonly string[]): fc.Arbitrary<unknown> {
  return fc.record({ field: fc.constant(field), op: fc.constantFrom(...ops), value });
}

const inOrder = ['gt', 'gte', 'lt', 'lte'];
const duration = fc.oneof(
  hours.map((n) => n * hourMs),
  hours.map((n) => `${n}h`),
);
const small = fc.integer({ min: -2, max: 4 });
const comparison = fc.oneof(
  ordered('age', duration, inOrder),
  ordered('finishedAge', duration, inOrder),
  textComparison('queue', queues),
  textComparison('kind', kinds),
  textComparison('project', ['default', 'other']),
  textComparison('label', tenants, 'tenant'),
  textComparison('label', tenants, 'toString'),
  fc
    .constantFrom('eq', 'ne')
    .chain((op) =>
      fc.constantFrom('succeeded', 'failed', 'cancelled').map((value) => ({ field: 'state', op, value })),
    ),
  ...['size', 'attempts', 'priority'].map((field) => ordered(field, small, ['eq', 'ne', ...inOrder])),
);
const rules: fc.Arbitrary<RuleNode> = fc
  .letrec((tie) => ({
    rule: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      comparison,
      fc.record({ not: tie('rule') }),
      fc.record({ and: fc.array(tie('rule'), { minLength: 1, maxLength: 3 }) }),
      fc.record({ or: fc.array(tie('rule'), { minLength: 1, maxLength: 3 }) }),
    ),
  }))
  .rule.map((data) => checkRule(data, 'rule'));

describe.each(['postgres15', 'postgres18'] as const)('rules in SQL, on %s', (server) => {
  let client: pg.Client;
  beforeAll(async () => {
    client = new pg.Client({ connectionString: await createDatabase(inject(server)) });
    await client.connect();
    await migrate(client, { schema });
    for (const [q, queue] of queues.entries()) {
      await client.query(`insert into ${schema}.queue (project_id, name) values (1, $1)`, [queue]);
      for (const [k, kind] of kinds.entries()) {
        await client.query(
          `insert into ${schema}.lane (id, queue_id, kind) overriding system value
          select $1, q.id, $2 from ${schema}.queue q where q.name = $3`,
          [q * kinds.length + k + 1, kind, queue],
        );
      }
    }
  });
  afterAll(() => client.end());

  const clock = `to_timestamp(${nowMs / 1_000})`;

  test('say of every job what the evaluator says', async () => {
    await fc.assert(
      fc.asyncProperty(
        rules,
        fc.array(fc.oneof(jobOf(undefined, 'ready'), jobOf(nowMs - 2 * hourMs, 'failed')), {
          minLength: 1,
          maxLength: 8,
        }),
        async (rule, jobs) => {
          const rows = jobs.map(({ facts }, n) => ({
            n,
            created_at: new Date(facts.createdMs),
            finished_at: facts.finishedMs === undefined ? null : new Date(facts.finishedMs),
            state: facts.state,
            queue: facts.queue,
            kind: facts.kind,
            project: facts.project,
            labels: facts.labels,
            size: facts.sizeBytes,
            attempts: facts.attempts,
            priority: facts.priority,
          }));
          const values: unknown[] = [JSON.stringify(rows)];
          const condition = new RuleCompiler(values, clock).matches(rule);
          const { rows: found } = await client.query<{ n: number; fits: boolean }>(
            `select f.n, ${condition} as fits from jsonb_to_recordset($1::jsonb) as f (n integer, created_at timestamptz,
              finished_at timestamptz, state text, queue text, kind text, project text, labels json, size integer,
              attempts integer, priority integer) order by f.n`,
            values,
          );
          expect(found.map(({ fits }) => fits)).toEqual(jobs.map(({ facts }) => matches(rule, facts, nowMs)));
        },
      ),
      { numRuns: 250 },
    );
  });

  test('cover a batch only if all its jobs fit, and pass one over only if none does', async () => {
    const batches = fc
      .tuple(hours, fc.constantFrom('succeeded', 'cancelled'))
      .chain(([finished, outcome]) =>
        fc.tuple(
          fc.array(jobOf(nowMs - finished * hourMs, outcome), { minLength: 1, maxLength: 4 }),
          fc.constant(outcome),
          fc.boolean(),
        ),
      );
    let covered = 0;
    let passedOver = 0;
    await fc.assert(
      fc.asyncProperty(rules, batches, async (rule, [jobs, outcome, told]) => {
        const made = jobs.map(({ facts }) => facts.createdMs);
        const values: unknown[] = [
          new Date(jobs[0]?.facts.finishedMs ?? 0),
          told ? outcome : null,
          told ? new Date(Math.min(...made)) : null,
          told ? new Date(Math.max(...made)) : null,
          jobs.map(({ lane }) => lane),
        ];
        const compiler = new RuleCompiler(values, clock);
        const text = `select ${compiler.covers(rule)} as covered, ${compiler.mayMatch(rule)} as possible
          from (select $1::timestamptz as finished_at, $2::text as outcome, $3::timestamptz as created_from,
            $4::timestamptz as created_to, $5::integer[] as lanes) h`;
        const { rows } = await client.query<{ covered: boolean; possible: boolean }>(
          bindSchema(text, schema),
          values,
        );
        const fits = jobs.map(({ facts }) => matches(rule, facts, nowMs));
        expect(rows).toHaveLength(1);
        if (rows[0]?.covered) expect(fits).not.toContain(false);
        if (!rows[0]?.possible) expect(fits).not.toContain(true);
        covered += rows[0]?.covered ? 1 : 0;
        passedOver += rows[0]?.possible ? 0 : 1;
      }),
      { numRuns: 250 },
    );
    // Else a batch would always be read.
    expect(Math.min(covered, passedOver)).toBeGreaterThan(20);
  });
});
