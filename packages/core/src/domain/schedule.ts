/** Schedules as data: what a caller declares, and what the database keeps. Pure. */

import { type CronRule, parseCron } from './cron.ts';
import { nextTick as nextOfCron } from './cron-next.ts';
import { invalidOption, LineshaftError } from './errors.ts';
import { boundedText, fieldsOf, oneOf, refuseUnknown, timeOf, wholeNumber } from './fields.ts';
import type { EnqueueOptions } from './job-options.ts';
import { validateProjectName, validateQueueName } from './queue.ts';
import { type TimeZone, timeZoneOf } from './time-zone.ts';

/**
 * What becomes of ticks that nobody ran in time, because no worker was up or the database was down. A tick that is less
 * than a minute late is not missed; it runs in any case.
 */
export interface Backfill {
  /** How far back missed ticks are made up for, in milliseconds: 1 s to 31 days. */
  readonly withinMs: number;
  /** The newest so many of them, 1 to 1,000. Default 100. */
  readonly most?: number;
}

/**
 * What a tick does while the job of the tick before it waits or runs: `allow` another beside it, `skip` the tick,
 * `replace` the job (it is cancelled), or `queue` the tick until the job is final (at most 100 wait).
 */
export type Overlap = 'allow' | 'skip' | 'replace' | 'queue';

/** Options of the jobs of a schedule: those of enqueueing, without when and where from. */
export type ScheduledJobOptions = Omit<EnqueueOptions, 'id' | 'project' | 'runAt' | 'delayMs'>;

/** All that is said of a schedule: what is left out has its default, also when it is declared again. */
export interface ScheduleDeclaration {
  /** 1 to 63 letters, digits or `_ . -`, starting with a letter or digit; unique in its project. */
  readonly name: string;
  /** Name of the project. Default `default`. */
  readonly project?: string;
  /** A cron rule of 5 fields, or of 6 with seconds first, or a name such as `@daily`. Either this or `every`. */
  readonly cron?: string;
  /** Of the cron rule: an IANA name such as `Europe/Berlin`. Default `UTC`. */
  readonly timeZone?: string;
  /**
   * An interval instead of a rule: a text such as `15m` or `1h30m`, or milliseconds; 1 s to 366 days. It is counted from
   * `startAt`, otherwise from the declaration.
   */
  readonly every?: string | number;
  /** No tick before. A Date, or an ISO 8601 text with a zone. Default: from now on. */
  readonly startAt?: Date | string;
  /** No tick after. A Date, or an ISO 8601 text with a zone. Default: for ever. */
  readonly endAt?: Date | string;
  /** Each tick comes late by a time of its own below this, in milliseconds, at most a day. Default 0. */
  readonly jitterMs?: number;
  /** Of missed ticks run `none`, only the `last`, or those within a time. Default `last`. */
  readonly backfill?: 'none' | 'last' | Backfill;
  /** Default `allow`. */
  readonly overlap?: Overlap;
  /** The kind of its jobs. */
  readonly kind: string;
  /** The payload of its jobs. Default `{}`. */
  readonly payload?: unknown;
  /** Options of its jobs: queue, priority, attempts, limits, labels and so on. */
  readonly options?: ScheduledJobOptions;
}

/** A declaration, checked: what SQL is told of it, but for the job. */
export interface ValidSchedule {
  readonly name: string;
  readonly project: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly kind: unknown;
  readonly payload: unknown;
  readonly options: Readonly<Record<string, unknown>>;
}

const declarationFields = [
  'name',
  'project',
  'cron',
  'timeZone',
  'every',
  'startAt',
  'endAt',
  'jitterMs',
  'backfill',
  'overlap',
  'kind',
  'payload',
  'options',
] as const satisfies readonly (keyof ScheduleDeclaration)[];

const minEveryMs = 1_000;
const maxEveryMs = 31_622_400_000;
const dayMs = 86_400_000;

/**
 * Checks a declaration, but for kind, payload and options, which are those of a job.
 *
 * @throws OPTION_UNKNOWN, OPTION_INVALID with field, value and remedy; for a cron rule also with the place in it
 */
export function validateSchedule(value: unknown): ValidSchedule {
  const fields = fieldsOf(value, 'schedule');
  refuseUnknown(fields, declarationFields);
  const { cron, every, timeZone, startAt, endAt, jitterMs, backfill, overlap } = fields;
  if ((cron === undefined) === (every === undefined)) {
    throw refuse('cron', 'a schedule has either cron or every: give one of them');
  }
  if (timeZone !== undefined && cron === undefined) {
    throw refuse(
      'timeZone',
      'timeZone is of use with cron only: an interval knows no time zone; leave it out',
    );
  }
  const start = startAt === undefined ? undefined : timeOf(startAt, 'startAt');
  const end = endAt === undefined ? undefined : timeOf(endAt, 'endAt');
  if (start !== undefined && end !== undefined && end <= start) {
    throw invalidOption('endAt', end, `later than startAt (${start.toISOString()})`);
  }
  if (timeZone !== undefined) timeZoneOf(timeZone);
  return {
    name: validateQueueName(fields['name'], 'name'),
    project: fields['project'] === undefined ? 'default' : validateProjectName(fields['project']),
    kind: fields['kind'],
    payload: fields['payload'],
    options: validateJobOptions(fields['options']),
    settings: given({
      cron: cron === undefined ? undefined : parseCron(cron).text,
      timeZone,
      everyMs: every === undefined ? undefined : everyMsOf(every),
      startAt: start?.toISOString(),
      endAt: end?.toISOString(),
      jitterMs: jitterMs === undefined ? undefined : wholeNumber(jitterMs, 'jitterMs', 0, dayMs),
      backfill: backfill === undefined ? undefined : validateBackfill(backfill),
      overlap:
        overlap === undefined ? undefined : oneOf(overlap, 'overlap', ['allow', 'skip', 'replace', 'queue']),
    }),
  };
}

function validateJobOptions(value: unknown): Readonly<Record<string, unknown>> {
  if (value === undefined) return {};
  const fields = fieldsOf(value, 'options');
  for (const name of ['id', 'project', 'runAt', 'delayMs', 'kind', 'payload']) {
    if (fields[name] === undefined) continue;
    const where = name === 'project' || name === 'kind' || name === 'payload';
    throw refuse(
      `options.${name}`,
      where
        ? `${name} stands beside options, not in it: move it`
        : `options.${name} must be left out: the schedule says when its jobs run, and makes their ids`,
    );
  }
  for (const name of ['labels', 'meta']) {
    const inner = fields[name];
    if (typeof inner === 'object' && inner !== null && 'schedule' in inner) {
      throw refuse(
        `options.${name}.schedule`,
        `options.${name}.schedule is set by the schedule; choose another name`,
      );
    }
  }
  return fields;
}

function validateBackfill(value: unknown): 'none' | 'last' | Backfill {
  if (typeof value === 'string') return oneOf(value, 'backfill', ['none', 'last']);
  const fields = fieldsOf(value, "backfill (unless 'none' or 'last')");
  refuseUnknown(fields, ['withinMs', 'most'], 'backfill.');
  return {
    withinMs: wholeNumber(fields['withinMs'], 'backfill.withinMs', 1_000, 31 * dayMs),
    ...(fields['most'] === undefined ? {} : { most: wholeNumber(fields['most'], 'backfill.most', 1, 1_000) }),
  };
}

/** The milliseconds of an interval. @throws OPTION_INVALID */
function everyMsOf(value: unknown): number {
  const ms = typeof value === 'string' ? intervalMs(value) : value;
  if (typeof ms === 'number' && Number.isInteger(ms) && ms >= minEveryMs && ms <= maxEveryMs) return ms;
  throw invalidOption(
    'every',
    value,
    'an interval such as 30s, 15m, 1h30m or 7d, or milliseconds, from 1 s to 366 days',
  );
}

const unitsMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: dayMs,
  w: 7 * dayMs,
};

function intervalMs(text: string): number | undefined {
  if (!/^\s*(\d+(ms|[smhdw])\s*)+$/.test(text) || text.length > 40) return undefined;
  const parts = [...text.matchAll(/(\d+)(ms|[smhdw])/g)];
  return parts.reduce((sum, [, number, unit = '']) => sum + Number(number) * (unitsMs[unit] ?? 0), 0);
}

/** The part of a declaration that says when. */
export type ScheduleRule = Pick<ScheduleDeclaration, 'cron' | 'timeZone' | 'every' | 'startAt' | 'endAt'>;

/**
 * When a rule would come due, without a database; jitter is not known yet.
 *
 * @param from The runs are after this time; an interval without a start is counted from it.
 * @param most How many, 1 to 1,000. Fewer come back where the rule ends.
 * @throws OPTION_INVALID, OPTION_UNKNOWN as for a declaration
 * @example previewRuns({ cron: '30 2 * * *', timeZone: 'Europe/Berlin' }, new Date(), 3)
 */
export function previewRuns(rule: ScheduleRule, from: Date, most = 10): Date[] {
  const { cron, every } = rule;
  const { settings } = validateSchedule({ ...rule, name: 'preview', kind: 'preview' });
  const instantOf = (name: string): number | undefined =>
    settings[name] === undefined ? undefined : Date.parse(String(settings[name]));
  const timing = {
    cron: cron === undefined ? undefined : parseCron(cron),
    zone: timeZoneOf(rule.timeZone ?? 'UTC'),
    everyMs: every === undefined ? undefined : everyMsOf(every),
    anchorMs: from.getTime(),
    startsAtMs: instantOf('startAt'),
    endsAtMs: instantOf('endAt'),
  };
  const ticks = nextTicksOf(timing, timeOf(from, 'from').getTime(), wholeNumber(most, 'most', 1, 1_000));
  return ticks.map((tickMs) => new Date(tickMs));
}

/** Checks the reason of a pause (OPTION_INVALID). */
export function validatePauseReason(value: unknown): string | undefined {
  return value === undefined ? undefined : boundedText(value, 'reason', 1, 500);
}

/** When a schedule ticks, apart from what became of its ticks. */
export interface Timing {
  readonly cron: CronRule | undefined;
  readonly zone: TimeZone;
  readonly everyMs: number | undefined;
  /** From where an interval counts that has no start. */
  readonly anchorMs: number;
  readonly startsAtMs: number | undefined;
  readonly endsAtMs: number | undefined;
}

/** The first tick after an instant; undefined where there is none any more. */
export function nextTickOf(timing: Timing, afterMs: number): number | undefined {
  const { cron, zone, everyMs, anchorMs, startsAtMs, endsAtMs } = timing;
  let tick: number | undefined;
  if (everyMs !== undefined) {
    const base = startsAtMs ?? anchorMs + everyMs;
    tick = base + Math.max(0, Math.floor((afterMs - base) / everyMs) + 1) * everyMs;
  } else if (cron !== undefined) {
    tick = nextOfCron(cron, zone, startsAtMs === undefined ? afterMs : Math.max(afterMs, startsAtMs - 1));
  }
  return tick !== undefined && endsAtMs !== undefined && tick > endsAtMs ? undefined : tick;
}

/** The next so many ticks after an instant. */
export function nextTicksOf(timing: Timing, afterMs: number, most: number): number[] {
  const ticks: number[] = [];
  let last = afterMs;
  while (ticks.length < most) {
    const tick = nextTickOf(timing, last);
    if (tick === undefined) break;
    ticks.push(tick);
    last = tick;
  }
  return ticks;
}

function refuse(field: string, message: string): LineshaftError {
  return new LineshaftError('OPTION_INVALID', { message, details: { field } });
}

function given(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
