/** Schedules of workflows, as documents: what is taken, and how they are refused. Pure. */

import { parseCron } from '../cron.ts';
import { invalidOption, LineshaftError } from '../errors.ts';
import { boundedText, fieldsOf, wholeNumber } from '../fields.ts';
import { nextTicksOf } from '../schedule.ts';
import { timeZoneOf } from '../time-zone.ts';

/** A cron rule in its zone. */
export interface ScheduledRule {
  readonly cron: string;
  readonly zone: string;
}

/** A document, checked: what SQL is told of it. */
export interface ValidWorkflowSchedule {
  readonly name: string;
  readonly rules: readonly ScheduledRule[];
  readonly settings: Readonly<Record<string, unknown>>;
  /** What is given back as it came. */
  readonly document: Readonly<Record<string, unknown>>;
  readonly request: Readonly<Record<string, unknown>>;
}

const rulesMax = 100;
/** The last ms that a Date can say, and PostgreSQL too. */
const timeMax = 8_640_000_000_000_000;

/** What columns say, and the answer says anew. */
const ownFields = new Set([
  'name',
  'startWorkflowRequest',
  'paused',
  'pausedReason',
  'createTime',
  'updatedTime',
  'nextRunTime',
]);

/**
 * Checks a document.
 *
 * @throws OPTION_INVALID with the field; for a cron rule also with the place in it
 */
export function validateWorkflowSchedule(value: unknown): ValidWorkflowSchedule {
  const fields = fieldsOf(value, 'schedule');
  const name = boundedText(fields['name'], 'name', 1, 200);
  const request = fieldsOf(fields['startWorkflowRequest'], 'startWorkflowRequest');
  const workflow = boundedText(request['name'], 'startWorkflowRequest.name', 1, 1_000);
  const starts = timeIn(fields, 'scheduleStartTime');
  const ends = timeIn(fields, 'scheduleEndTime');
  if (starts !== undefined && ends !== undefined && ends <= starts) {
    throw invalidOption('scheduleEndTime', ends, `later than scheduleStartTime (${starts})`);
  }
  const reason = fields['pausedReason'];
  return {
    name,
    rules: rulesOf(fields),
    settings: {
      workflow,
      starts,
      ends,
      catchup: flag(fields, 'runCatchupScheduleInstances'),
      paused: flag(fields, 'paused'),
      reason: reason === undefined ? undefined : boundedText(reason, 'pausedReason', 0, 500),
    },
    document: Object.fromEntries(Object.entries(fields).filter(([field]) => !ownFields.has(field))),
    request,
  };
}

/**
 * When a rule runs next, in ms since 1970.
 *
 * @param rule six fields, seconds first; where both fields of days are restricted, a day must fit both
 * @throws OPTION_INVALID
 * @example nextRunsOf({ cronExpression: '0 0 9 ? * MON-FRI', zoneId: 'Europe/Berlin', limit: 5 }, Date.now())
 */
export function nextRunsOf(
  rule: {
    readonly cronExpression: string;
    readonly zoneId?: string | undefined;
    readonly from?: number | undefined;
    readonly to?: number | undefined;
    readonly limit: number;
  },
  nowMs: number,
): number[] {
  const { cron, zone } = ruleOf(rule.cronExpression, rule.zoneId, 'cronExpression', 'zoneId');
  const timing = {
    cron: parseCron(cron, 'cronExpression', 'both'),
    zone: timeZoneOf(zone),
    everyMs: undefined,
    anchorMs: nowMs,
    startsAtMs: timeIn({ from: rule.from }, 'from'),
    endsAtMs: timeIn({ to: rule.to }, 'to'),
  };
  return nextTicksOf(timing, nowMs, wholeNumber(rule.limit, 'limit', 1, 1_000));
}

/** When a document that was checked runs next; undefined: never, it is over. */
export function nextRunOf(document: Readonly<Record<string, unknown>>, nowMs: number): number | undefined {
  const from = timeIn(document, 'scheduleStartTime');
  const to = timeIn(document, 'scheduleEndTime');
  const next = rulesOf(document).flatMap(({ cron, zone }) =>
    nextRunsOf({ cronExpression: cron, zoneId: zone, from, to, limit: 1 }, nowMs),
  );
  return next.length === 0 ? undefined : Math.min(...next);
}

function rulesOf(fields: Readonly<Record<string, unknown>>): ScheduledRule[] {
  const { cronExpression, zoneId, cronSchedules } = fields;
  const several = Array.isArray(cronSchedules) && cronSchedules.length > 0;
  if (!several) return [ruleOf(cronExpression, zoneId, 'cronExpression', 'zoneId')];
  if (cronSchedules.length > rulesMax) {
    throw invalidOption('cronSchedules', cronSchedules, `a list of at most ${rulesMax} rules`);
  }
  const rules = cronSchedules.map((each: unknown, index) => {
    const place = `cronSchedules[${index}]`;
    const rule = fieldsOf(each, place);
    return ruleOf(
      rule['cronExpression'],
      rule['zoneId'] ?? zoneId,
      `${place}.cronExpression`,
      `${place}.zoneId`,
    );
  });
  // The same rule twice would start two runs at each of its times.
  return [...new Map(rules.map((rule) => [`${rule.cron} ${rule.zone}`, rule])).values()];
}

function ruleOf(cron: unknown, zone: unknown, cronField: string, zoneField: string): ScheduledRule {
  const { text } = parseCron(cron, cronField, 'both');
  if (!text.startsWith('@') && text.split(/\s+/).length !== 6) {
    throw new LineshaftError('OPTION_INVALID', {
      message: `${cronField} must have 6 fields, the seconds first: '0 ${text}' is '${text}' at second 0`,
      details: { field: cronField },
    });
  }
  const name = zone === undefined || zone === null || zone === '' ? 'UTC' : zone;
  try {
    timeZoneOf(name);
  } catch (error) {
    const message = error instanceof Error ? error.message.replace('timeZone', zoneField) : String(error);
    throw new LineshaftError('OPTION_INVALID', { message, details: { field: zoneField }, cause: error });
  }
  return { cron: text, zone: String(name) };
}

function timeIn(fields: Readonly<Record<string, unknown>>, field: string): number | undefined {
  const value = fields[field];
  // Clients without a time send 0.
  if (value === undefined || value === null || value === 0) return undefined;
  return wholeNumber(value, field, 1, timeMax);
}

function flag(fields: Readonly<Record<string, unknown>>, field: string): boolean {
  const value = fields[field];
  if (value === undefined || value === null) return false;
  if (typeof value === 'boolean') return value;
  throw invalidOption(field, value, 'true or false');
}
