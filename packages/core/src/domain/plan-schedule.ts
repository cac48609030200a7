/**
 * What a schedule that has come due does: which ticks get a job, which were missed, and when it comes due next. Every
 * scheduler that asks at the same time gets the same answer. Pure.
 */

import { nextTickOf, type Timing } from './schedule.ts';

/** The row of a schedule, as far as its clock goes. Times in milliseconds. */
export interface Clockwork {
  readonly id: string;
  readonly timing: Timing;
  readonly planFromMs: number;
  readonly lastTickMs: number | undefined;
  /** Undefined: it was changed, and is to be planned anew. */
  readonly nextTickMs: number | undefined;
  readonly jitterMs: number;
  readonly backfill: 'none' | 'last' | 'all';
  readonly withinMs: number;
  readonly most: number;
}

export interface Tick {
  readonly atMs: number;
  /** It runs more than a minute after it was due. */
  readonly missed: boolean;
}

export interface SchedulePlan {
  /** The ticks that run now, in order, subject to the overlap policy. */
  readonly ticks: readonly Tick[];
  /** How many ticks were missed and are not made up for; of a long outage only the newest thousand are counted. */
  readonly missed: number;
  /** The next tick and when it is due; undefined when there is none any more. */
  readonly nextTickMs: number | undefined;
  readonly nextDueMs: number | undefined;
}

/** A tick that is not later than this was not missed: a leader may have died at that moment. */
export const onTimeMs = 60_000;
/** So many ticks are looked at in one plan. */
const ticksMax = 1_000;

/** Plans what is due at this moment. */
export function planSchedule(clockwork: Clockwork, nowMs: number): SchedulePlan {
  const { timing } = clockwork;
  const due = (tickMs: number): number => tickMs + jitterOf(clockwork.id, tickMs, clockwork.jitterMs);
  const resumeFrom = Math.max(clockwork.planFromMs, clockwork.lastTickMs ?? Number.NEGATIVE_INFINITY);
  const first = clockwork.nextTickMs ?? nextTickOf(timing, resumeFrom);
  const ends = (next: number | undefined): Pick<SchedulePlan, 'nextTickMs' | 'nextDueMs'> => ({
    nextTickMs: next,
    nextDueMs: next === undefined ? undefined : due(next),
  });
  if (first === undefined || due(first) > nowMs) return { ticks: [], missed: 0, ...ends(first) };

  const passed = ticksUntil(timing, first, nowMs);
  // Ticks keep their order: one that its jitter delays holds up those after it.
  const early = passed.findIndex((tickMs) => due(tickMs) > nowMs);
  const pending = early < 0 ? passed : passed.slice(0, early);
  const next = early < 0 ? nextTickOf(timing, passed.at(-1) ?? first) : passed[early];
  const ticks = choose(clockwork, pending, (tickMs) => nowMs - due(tickMs));
  return { ticks, missed: pending.length - ticks.length, ...ends(next) };
}

function choose(
  clockwork: Clockwork,
  pending: readonly number[],
  lateMs: (tickMs: number) => number,
): Tick[] {
  const tickOf = (atMs: number): Tick => ({ atMs, missed: lateMs(atMs) > onTimeMs });
  const onTime = pending.filter((atMs) => lateMs(atMs) <= onTimeMs);
  if (clockwork.backfill === 'none') return onTime.map(tickOf);
  if (clockwork.backfill === 'last') return (onTime.length > 0 ? onTime : pending.slice(-1)).map(tickOf);
  const late = pending.filter((atMs) => lateMs(atMs) > onTimeMs && lateMs(atMs) <= clockwork.withinMs);
  const room = Math.max(clockwork.most - onTime.length, 0);
  return [...(room === 0 ? [] : late.slice(-room)), ...onTime].map(tickOf);
}

/**
 * The ticks from the first one to now: the newest thousand. After a long outage of a frequent schedule they are looked
 * for in windows that grow backwards from now, so that nobody walks through years.
 */
function ticksUntil(timing: Timing, first: number, nowMs: number): number[] {
  const ticks = walk(timing, first, nowMs);
  if (ticks.length <= ticksMax) return ticks;
  for (let windowMs = onTimeMs; ; windowMs *= 2) {
    const from = nextTickOf(timing, Math.max(nowMs - windowMs, first - 1));
    if (from === undefined || from > nowMs) continue;
    const found = walk(timing, from, nowMs, Number.POSITIVE_INFINITY);
    if (found.length >= ticksMax) return found.slice(-ticksMax);
  }
}

function walk(timing: Timing, first: number, untilMs: number, most = ticksMax + 1): number[] {
  const ticks: number[] = [];
  for (let tick: number | undefined = first; tick !== undefined && tick <= untilMs; ) {
    ticks.push(tick);
    if (ticks.length >= most) break;
    tick = nextTickOf(timing, tick);
  }
  return ticks;
}

/**
 * By how much a tick comes late: the same for everybody who asks. FNV-1a (G. Fowler, L. C. Noll, K.-P. Vo) over id and
 * tick, with the finaliser of MurmurHash3 (A. Appleby), since neighbours differ in their last digits only.
 */
export function jitterOf(id: string, tickMs: number, jitterMs: number): number {
  if (jitterMs === 0) return 0;
  let hash = 0x811c9dc5;
  for (const character of `${id}:${tickMs}`) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  hash ^= hash >>> 16;
  return Math.floor(((hash >>> 0) / 0x1_0000_0000) * jitterMs);
}
