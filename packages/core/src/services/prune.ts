/**
 * One pass of pruning: forgets finished jobs that fit a rule, that are past their time, or that are more than their
 * queue keeps. Partitions in which nothing is to be kept are dropped; in others, batches are deleted or written anew,
 * a bounded number of jobs at a time. The service `pruner` and the command `lineshaft prune` both do this.
 */

import { durationOf } from '../domain/rule-match.ts';
import type { RuleNode } from '../domain/rules.ts';
import type { RunRetention } from '../domain/workflow/run-retention.ts';
import { type RuleBinding, withRules } from '../store/rule-sql.ts';
import type { Row, Session } from '../store/session.ts';
import type { BoundStatements } from '../store/statements.ts';
import { dropPartition, type PartitionState } from './drop-partition.ts';
import { pruneRuns } from './prune-runs.ts';

export interface PruneContext {
  readonly session: Session;
  readonly statements: BoundStatements;
  readonly schema: string;
  readonly signal: AbortSignal;
  /** Jobs in one statement. */
  readonly batch: number;
  /** Of the leader that prunes; null: whoever asks. */
  readonly term: string | null;
  /** Told after each statement. */
  readonly onProgress?: (progress: PruneProgress) => void;
  /** How long runs of workflows are kept that say nothing of it themselves. Default for ever. */
  readonly runs?: RunRetention;
  /** Waited for after each statement: how long it took, in milliseconds. */
  readonly rest?: (tookMs: number) => Promise<void>;
}

export interface PruneProgress {
  /** Jobs that were looked at, or went unread with their batch. */
  readonly seen: number;
  readonly pruned: number;
}

export interface PruneReport {
  /** Jobs that were forgotten. */
  readonly pruned: number;
  /** Names of the partitions that were dropped; their jobs count as forgotten. */
  readonly partitions: readonly string[];
  /** Runs of workflows that were forgotten. */
  readonly runs: number;
  /** Batches that were written anew with fewer jobs. */
  readonly rewritten: number;
  /** When the first and the last of the jobs finished that were forgotten one by one. */
  readonly oldest: Date | undefined;
  readonly newest: Date | undefined;
}

/** What would go, of one queue and outcome. */
export interface PruneGroup {
  readonly project: string;
  readonly queue: string;
  readonly outcome: string;
  readonly jobs: number;
  readonly oldest: Date;
  readonly newest: Date;
}

interface Bindings {
  /** What goes of history. */
  readonly finished: readonly RuleBinding[];
  /** What goes of the dead letters: each is one walk. */
  readonly dead: readonly RuleBinding[];
}

interface Partition {
  readonly name: string;
  readonly from: string;
  readonly before: string;
  /** Its day is long enough over that nothing is written into it any more. */
  readonly closed: boolean;
}

const dayMs = 86_400_000;
/** Before all rows. */
const firstPlace = '(0,0)';
const firstId = '00000000-0000-0000-0000-000000000000';
const always = '-infinity';

/**
 * Forgets what is to be forgotten.
 *
 * @param rules what goes besides what is past its time or too much for its queue
 * @param judgedAtMs when the last pass with the same rules began, by the database's clock; undefined: never
 */
export async function prune(
  context: PruneContext,
  rules: readonly RuleNode[],
  judgedAtMs?: number,
): Promise<PruneReport> {
  const tally = new Tally(context);
  const bindings = await bind(context, rules, judgedAtMs);
  const { attached, detaching } = await partitions(context);
  // One at a time can be detached; while that of a former round waits for its readers, no other is begun.
  let mayDrop = true;
  for (const name of detaching) mayDrop = await drop(context, name, 'detaching');
  for (const partition of attached) {
    if (context.signal.aborted) break;
    const [[jobs = null, lingers = null] = []] = await ask(
      context,
      'historyVerdict',
      [partition.from, partition.before],
      bindings.finished,
    );
    if (partition.closed && jobs !== null) {
      mayDrop &&= await drop(context, partition.name, 'attached');
      if (mayDrop) tally.dropped(partition.name, Number(jobs));
      continue;
    }
    if (lingers === 't' || bindings.finished.length > 0) {
      await pruneRows(context, partition, lingers === 't', bindings.finished, tally);
    }
  }
  for (const binding of bindings.dead) await pruneDead(context, binding, tally);
  const runs = context.signal.aborted ? 0 : await pruneRuns(context, context.runs ?? {});
  return { ...tally.report(), runs };
}

/** Counts what `prune` would forget, by queue and outcome. */
export async function countPrunable(
  context: PruneContext,
  rules: readonly RuleNode[],
): Promise<PruneGroup[]> {
  const bindings = await bind(context, rules);
  const groups = new Map<string, PruneGroup>();
  let seen = 0;
  const add = (row: Row): void => {
    seen += Number(row[2]);
    let found = 0;
    for (const each of JSON.parse(row[3] ?? '[]') as Record<keyof PruneGroup, string>[]) {
      addGroup(groups, each);
      found += Number(each.jobs);
    }
    context.onProgress?.({ seen, pruned: found });
  };
  for (const { from, before } of (await partitions(context)).attached) {
    let place: readonly unknown[] = [from, firstPlace];
    while (!context.signal.aborted) {
      const [row] = await ask(
        context,
        'countHistory',
        [from, before, ...place, context.batch, true],
        bindings.finished,
      );
      if (row === undefined) break;
      add(row);
      place = [row[0], row[1]];
    }
  }
  let place: readonly unknown[] = [always, firstId];
  while (!context.signal.aborted) {
    const [row] = await ask(context, 'countDead', [...place, context.batch, true], bindings.dead);
    if (row === undefined) break;
    add(row);
    place = [row[0], row[1]];
  }
  return [...groups.values()].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

/** Detaching concurrently runs in no transaction, so the term is asked before. */
async function drop(context: PruneContext, name: string, state: PartitionState): Promise<boolean> {
  const { session, statements, schema, term } = context;
  await session.query(statements.demandLeader, [term]);
  return await dropPartition(session, schema, name, state);
}

async function pruneRows(
  context: PruneContext,
  { from, before }: Partition,
  expired: boolean,
  bindings: readonly RuleBinding[],
  tally: Tally,
): Promise<void> {
  let place: readonly unknown[] = [from, firstPlace];
  while (!context.signal.aborted) {
    const startedMs = performance.now();
    const values = [from, before, ...place, context.batch, expired, context.term];
    const [row] = await ask(context, 'pruneHistory', values, bindings);
    if (row === undefined) return;
    const [at, next, seen, pruned, rewritten, oldest, newest] = row;
    tally.add({ seen, pruned, rewritten, oldest, newest });
    place = [at, next];
    await context.rest?.(performance.now() - startedMs);
  }
}

async function pruneDead(context: PruneContext, binding: RuleBinding, tally: Tally): Promise<void> {
  let place: readonly unknown[] = [binding.after ?? always, firstId];
  while (!context.signal.aborted) {
    const startedMs = performance.now();
    const [row] = await ask(context, 'pruneDead', [...place, context.batch, context.term], [binding]);
    if (row === undefined) return;
    const [at, next, seen, pruned, oldest, newest] = row;
    tally.add({ seen, pruned, rewritten: '0', oldest, newest });
    place = [at, next];
    await context.rest?.(performance.now() - startedMs);
  }
}

/** The rules, and one more for each queue that keeps only so many. */
async function bind(
  context: PruneContext,
  rules: readonly RuleNode[],
  judgedAtMs?: number,
): Promise<Bindings> {
  const { session, statements, schema } = context;
  const given = rules.map((rule): RuleBinding => ({ schema, rule, after: unchangedUntil(rule, judgedAtMs) }));
  const finished = [...given];
  const dead = [...given];
  for (const [id, queue, project, ...kept] of await session.query(statements.queueBounds)) {
    for (const [n, outcome] of (['succeeded', 'failed', 'cancelled'] as const).entries()) {
      const most = kept[n] ?? null;
      if (most === null) continue;
      const [[at = null, jobId = null] = []] =
        outcome === 'failed'
          ? await session.query(statements.firstDeadBeyond, [id, most])
          : await session.query(statements.firstBeyond, [id, outcome, most]);
      if (at === null || jobId === null) continue;
      const rule: RuleNode = {
        and: [
          { field: 'queue', op: 'eq', value: queue ?? '' },
          { field: 'project', op: 'eq', value: project ?? '' },
          { field: 'state', op: 'eq', value: outcome },
        ],
      };
      (outcome === 'failed' ? dead : finished).push({ schema, rule, upTo: { at, id: jobId } });
    }
  }
  return { finished, dead };
}

/** Late commits are seen by the next pass. */
const commitMarginMs = 600_000;

/**
 * Nothing but time changes whether a finished job fits a rule, and once it is older than every age in the rule, not
 * even that: what had finished so long before the last pass need not be judged again.
 */
function unchangedUntil(rule: RuleNode, judgedAtMs: number | undefined): string | undefined {
  if (judgedAtMs === undefined) return undefined;
  return new Date(Math.max(judgedAtMs - longestAge(rule) - commitMarginMs, 0)).toISOString();
}

function longestAge(rule: RuleNode): number {
  if ('and' in rule) return Math.max(...rule.and.map(longestAge));
  if ('or' in rule) return Math.max(...rule.or.map(longestAge));
  if ('not' in rule) return longestAge(rule.not);
  return rule.field === 'age' || rule.field === 'finishedAge' ? durationOf(rule) : 0;
}

/** The partitions of history, oldest first, and names of those that are on their way out. */
async function partitions({
  session,
  statements,
}: PruneContext): Promise<{ attached: Partition[]; detaching: string[] }> {
  const [[today = ''] = []] = await session.query(statements.utcDay);
  const lastClosedMs = Date.parse(`${today}T00:00:00Z`) - 2 * dayMs;
  const attached: Partition[] = [];
  const detaching: string[] = [];
  for (const [name = null, day = null, pending = null] of await session.query(statements.historyPartitions)) {
    if (name === null) continue;
    if (pending === 't') {
      detaching.push(name);
      continue;
    }
    const fromMs = Date.parse(`${day}T00:00:00Z`);
    attached.push({
      name,
      from: new Date(fromMs).toISOString(),
      before: new Date(fromMs + dayMs).toISOString(),
      closed: fromMs <= lastClosedMs,
    });
  }
  return { attached, detaching };
}

async function ask(
  { session, statements }: PruneContext,
  name: keyof BoundStatements,
  values: readonly unknown[],
  bindings: readonly RuleBinding[],
): Promise<Row[]> {
  const ruled = withRules(statements[name], values, bindings);
  return await session.query(ruled.statement, ruled.values);
}

interface Step {
  readonly seen: string | null | undefined;
  readonly pruned: string | null | undefined;
  readonly rewritten: string | null | undefined;
  readonly oldest: string | null | undefined;
  readonly newest: string | null | undefined;
}

class Tally {
  private readonly context: PruneContext;
  private readonly partitions: string[] = [];
  private seen = 0;
  private pruned = 0;
  private rewritten = 0;
  private oldestMs = Number.POSITIVE_INFINITY;
  private newestMs = Number.NEGATIVE_INFINITY;

  constructor(context: PruneContext) {
    this.context = context;
  }

  add({ seen, pruned, rewritten, oldest, newest }: Step): void {
    this.seen += Number(seen);
    this.pruned += Number(pruned);
    this.rewritten += Number(rewritten);
    if (oldest != null) this.oldestMs = Math.min(this.oldestMs, Number(oldest));
    if (newest != null) this.newestMs = Math.max(this.newestMs, Number(newest));
    this.tell();
  }

  dropped(name: string, jobs: number): void {
    this.partitions.push(name);
    this.seen += jobs;
    this.pruned += jobs;
    this.tell();
  }

  report(): Omit<PruneReport, 'runs'> {
    return {
      pruned: this.pruned,
      partitions: this.partitions,
      rewritten: this.rewritten,
      oldest: Number.isFinite(this.oldestMs) ? new Date(this.oldestMs) : undefined,
      newest: Number.isFinite(this.newestMs) ? new Date(this.newestMs) : undefined,
    };
  }

  private tell(): void {
    this.context.onProgress?.({ seen: this.seen, pruned: this.pruned });
  }
}

function addGroup(groups: Map<string, PruneGroup>, found: Record<keyof PruneGroup, string>): void {
  const { project, queue, outcome } = found;
  const group = {
    project,
    queue,
    outcome,
    jobs: Number(found.jobs),
    oldest: new Date(found.oldest),
    newest: new Date(found.newest),
  };
  const before = groups.get(keyOf(group));
  groups.set(
    keyOf(group),
    before === undefined
      ? group
      : {
          ...group,
          jobs: group.jobs + before.jobs,
          oldest: new Date(Math.min(before.oldest.getTime(), group.oldest.getTime())),
          newest: new Date(Math.max(before.newest.getTime(), group.newest.getTime())),
        },
  );
}

function keyOf({ project, queue, outcome }: Pick<PruneGroup, 'project' | 'queue' | 'outcome'>): string {
  return [project, queue, outcome].join(' ');
}
