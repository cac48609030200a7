/**
 * Makes the jobs of schedules when they come due. It runs on the leader; that a tick has one job does not depend on it:
 * a plan is applied only to the row that it was made of, in the transaction that enqueues the jobs. It sleeps until the
 * next schedule is due, and is woken when one has changed.
 */

import { type CronRule, type DayRule, parseCron } from '../domain/cron.ts';
import { isLineshaftError } from '../domain/errors.ts';
import { type Clockwork, planSchedule, type SchedulePlan } from '../domain/plan-schedule.ts';
import { timeZoneOf } from '../domain/time-zone.ts';
import { definePlugin, type ServiceContext } from '../plugin.ts';
import type { Row } from '../store/session.ts';
import type { Service } from './service.ts';

const batch = 2_000;
/** Longest sleep: a schedule may be changed by somebody whose word does not reach us. */
const sleepMaxMs = 5_000;
/** How often those are looked at whose ticks wait for the job before them, and those that were held up. */
const waitingMs = 500;
/** Rules that are remembered, so that they need not be parsed each time. */
const rulesMax = 20_000;

/** The built-in service that makes the jobs of schedules while its worker leads. */
export const scheduler = definePlugin({ name: 'scheduler', dependsOn: ['leader'], service: createScheduler });

/** What of the context of a service the scheduler needs. */
export interface SchedulerContext extends Pick<ServiceContext, 'clock' | 'loop' | 'onMessage'> {
  readonly leadership: Pick<ServiceContext['leadership'], 'term'>;
  readonly internals: Pick<ServiceContext['internals'], 'batchSession' | 'statements' | 'outlook'> & {
    readonly steps: Pick<ServiceContext['internals']['steps'], 'startScheduled'>;
  };
}

export function createScheduler(context: SchedulerContext): Service {
  const { clock, leadership } = context;
  const { batchSession: session, statements, outlook, steps } = context.internals;
  const rules = new Map<string, CronRule>();
  // Also what a leader before may have left.
  let runsToStart = true;
  const startRuns = async (signal: AbortSignal): Promise<void> => {
    if (!runsToStart) return;
    await steps.startScheduled(signal);
    runsToStart = signal.aborted;
  };
  const loop = context.loop({
    async round(signal) {
      const { term } = leadership;
      if (term === undefined) return sleepMaxMs;
      await startRuns(signal);
      const known = await outlook.within(sleepMaxMs);
      if (!known.ticksWait && known.scheduleAtMs > clock.monotonic())
        return outlook.sleepMs(known, known.scheduleAtMs, sleepMaxMs);
      // Whatever comes of it, what is known of it is over.
      outlook.forget();
      while (!signal.aborted) {
        const rows = await session.query(statements.dueSchedules, [batch]);
        const plans = rows.map((row) => planOf(row, rules));
        const { applied, started } = await apply(context, plans, term);
        if (started > 0) {
          runsToStart = true;
          await startRuns(signal);
        }
        // The term is over, others are at it, or somebody holds a key.
        if (applied < rows.length) return waitingMs;
        if (rows.length < batch) break;
      }
      outlook.forget();
      const next = await outlook.within(sleepMaxMs);
      return outlook.sleepMs(next, next.scheduleAtMs, next.ticksWait ? waitingMs : sleepMaxMs);
    },
  });
  context.onMessage('elected', () => {
    runsToStart = true;
    loop.wake();
  });
  context.onMessage('s', () => {
    outlook.forget();
    loop.wake();
  });
  return loop;
}

/** A plan as `run_schedules.sql` takes it. */
interface WrittenPlan {
  readonly id: string;
  readonly revision: string;
  readonly ticks: readonly (readonly [number, boolean])[];
  readonly next: number | null;
  readonly due: number | null;
  readonly missed: number;
  readonly trouble?: string;
}

/** Plans a row of `due_schedules.sql`. A rule that cannot be read stops its schedule, and says why. */
function planOf(row: Row, rules: Map<string, CronRule>): WrittenPlan {
  const [id = null, revision = null, now] = row;
  const named = { id: id ?? '', revision: revision ?? '' };
  let plan: SchedulePlan;
  try {
    plan = planSchedule(clockworkOf(row, rules), Number(now));
  } catch (error) {
    const trouble = error instanceof Error ? error.message : String(error);
    return { ...named, ticks: [], next: null, due: null, missed: 0, trouble };
  }
  return {
    ...named,
    ticks: plan.ticks.map(({ atMs, missed }) => [atMs, missed] as const),
    next: plan.nextTickMs ?? null,
    due: plan.nextDueMs ?? null,
    missed: plan.missed,
  };
}

function clockworkOf(row: Row, rules: Map<string, CronRule>): Clockwork {
  const [
    id,
    ,
    ,
    cron,
    zone,
    everyMs,
    anchor,
    planFrom,
    starts,
    ends,
    jitterMs,
    backfill,
    withinMs,
    most,
    last,
    next,
    ofWorkflow,
  ] = row;
  return {
    id: id ?? '',
    timing: {
      cron: cron == null ? undefined : ruleOf(cron, ofWorkflow === 't' ? 'both' : 'either', rules),
      zone: timeZoneOf(zone),
      everyMs: numberOf(everyMs),
      anchorMs: Number(anchor),
      startsAtMs: numberOf(starts),
      endsAtMs: numberOf(ends),
    },
    planFromMs: Number(planFrom),
    lastTickMs: numberOf(last),
    nextTickMs: numberOf(next),
    jitterMs: Number(jitterMs),
    backfill: backfill as Clockwork['backfill'],
    withinMs: Number(withinMs),
    most: Number(most),
  };
}

function numberOf(value: string | null | undefined): number | undefined {
  return value == null ? undefined : Number(value);
}

function ruleOf(text: string, days: DayRule, rules: Map<string, CronRule>): CronRule {
  const key = days === 'both' ? `${text} both` : text;
  const known = rules.get(key);
  if (known !== undefined) return known;
  if (rules.size >= rulesMax) rules.clear();
  const rule = parseCron(text, 'cron', days);
  rules.set(key, rule);
  return rule;
}

/** What was applied: so many plans, and so many runs that are to start. */
interface Applied {
  readonly applied: number;
  readonly started: number;
}

const nothing: Applied = { applied: 0, started: 0 };

/**
 * Applies plans. Where the database refuses one (its queue is gone), the batch is halved until it is found: its ticks are
 * given up, which its schedule then says, and all others go on.
 */
async function apply(
  context: SchedulerContext,
  plans: readonly WrittenPlan[],
  term: string,
): Promise<Applied> {
  const { batchSession, statements } = context.internals;
  if (plans.length === 0) return nothing;
  try {
    const values = [JSON.stringify(plans), term];
    const [[applied, , started] = []] = await batchSession.query(statements.runSchedules, values);
    return { applied: Number(applied ?? 0), started: Number(started ?? 0) };
  } catch (error) {
    const [only] = plans;
    if (!isLineshaftError(error) || error.category === 'unavailable' || only === undefined) throw error;
    // Another leads: it has planned, or will, what was planned here.
    if (error.code === 'LEADERSHIP_LOST') return nothing;
    if (plans.length === 1) {
      // A unique key that a stranger's open transaction holds: the next round tries again.
      if (error.details['sqlstate'] === '55P03') return nothing;
      if (only.trouble !== undefined) throw error;
      return await apply(context, [{ ...only, ticks: [], trouble: error.message.slice(0, 500) }], term);
    }
    const middle = plans.length >> 1;
    const first = await apply(context, plans.slice(0, middle), term);
    const rest = await apply(context, plans.slice(middle), term);
    return { applied: first.applied + rest.applied, started: first.started + rest.started };
  }
}
