/** Compares two normalised conversations field by field, and sorts out the differences that are known. */
import type { Exchange } from './conversation.ts';

export interface Difference {
  readonly scenario: string;
  readonly call: string;
  /** Where, as `status` or `body.tasks[0].outputData`. */
  readonly at: string;
  /** What the reference says; undefined where it says nothing there. */
  readonly theirs: unknown;
  readonly ours: unknown;
}

/**
 * A difference that is known, from differences.json. In `scenario` and `call` a `*` stands for any text; in `at` it stands
 * for one name or number, and `**` for any way down. Of several patterns one must fit.
 */
export interface KnownDifference {
  readonly scenario: string | readonly string[];
  readonly call: string | readonly string[];
  readonly at: string | readonly string[];
  /** What the reference says there, as a value pattern. @default anything */
  readonly theirs?: unknown;
  /** What we say there. @default anything */
  readonly ours?: unknown;
  /** Why it is so. */
  readonly reason: string;
  /** Why it need not show in each run: a race, and whose. Without this it must. */
  readonly sometimes?: string;
}

/** In a value pattern: nothing is said there. Other texts may contain `*`; all else must be equal. */
export const absent = '<absent>';
/** In a value pattern: whatever is said there, but something. */
export const present = '<present>';

export function compare(
  scenario: string,
  theirs: readonly Exchange[],
  ours: readonly Exchange[],
): Difference[] {
  const length = Math.max(theirs.length, ours.length);
  return Array.from({ length }, (_, index) => {
    const [left, right] = [theirs[index], ours[index]];
    const call = left?.call ?? right?.call ?? '';
    const found: Difference[] = [];
    compareValues(left, right, '', (at, a, b) => {
      found.push({ scenario, call, at, theirs: a, ours: b });
    });
    return found;
  }).flat();
}

type Tell = (at: string, theirs: unknown, ours: unknown) => void;

function compareValues(theirs: unknown, ours: unknown, at: string, tell: Tell): void {
  if (isRecord(theirs) && isRecord(ours)) {
    for (const key of new Set([...Object.keys(theirs), ...Object.keys(ours)])) {
      compareValues(theirs[key], ours[key], at === '' ? key : `${at}.${key}`, tell);
    }
  } else if (Array.isArray(theirs) && Array.isArray(ours)) {
    for (let index = 0; index < Math.max(theirs.length, ours.length); index += 1) {
      compareValues(theirs[index], ours[index], `${at}[${index}]`, tell);
    }
  } else if (!Object.is(theirs, ours)) {
    tell(at, theirs, ours);
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export interface Judgement {
  /** Differences that are not in the list, and showed each time that their scenario was held. */
  readonly unknown: readonly Difference[];
  /** Entries of the list that must show and did not, however often their scenarios were held. */
  readonly unmet: readonly KnownDifference[];
}

/** What was found by holding one scenario once. */
export type Holding = readonly Difference[];

/**
 * Holds differences against the list of those that are known. What shows in one holding of a scenario and not in another
 * is a race.
 *
 * @param holdings by scenario; each was held at least once
 */
export function judge(
  holdings: ReadonlyMap<string, readonly Holding[]>,
  known: readonly KnownDifference[],
): Judgement {
  const patterns = known.map((entry) => ({ entry, explains: explainer(entry), met: false }));
  const isUnknown = (difference: Difference): boolean => {
    const explaining = patterns.filter(({ explains }) => explains(difference));
    for (const pattern of explaining) pattern.met = true;
    return explaining.length === 0;
  };
  const unknown = [...holdings.values()].flatMap((held) =>
    lasting(held.map((holding) => holding.filter(isUnknown))),
  );
  const unmet = patterns.filter(({ entry, met }) => !met && entry.sometimes === undefined);
  return { unknown, unmet: unmet.map(({ entry }) => entry) };
}

/** Those at whose place there is one in each holding. */
function lasting(held: readonly Holding[]): Difference[] {
  const places = held.map((holding) => new Set(holding.map(placeOf)));
  return (held.at(-1) ?? []).filter((difference) => places.every((each) => each.has(placeOf(difference))));
}

function placeOf({ call, at }: Difference): string {
  return `${call}\n${at}`;
}

/** The scenarios that a judgement is about; of entries only those that name theirs. */
export function scenariosOf({ unknown, unmet }: Judgement): ReadonlySet<string> {
  const named = unmet.flatMap(({ scenario }) => scenario).filter((name) => !name.includes('*'));
  return new Set([...unknown.map(({ scenario }) => scenario), ...named]);
}

function explainer(known: KnownDifference): (difference: Difference) => boolean {
  const scenario = oneOf(known.scenario, textPattern);
  const call = oneOf(known.call, textPattern);
  const at = oneOf(known.at, placePattern);
  const theirs = valuePattern(known, 'theirs');
  const ours = valuePattern(known, 'ours');
  return (difference) =>
    scenario(difference.scenario) &&
    call(difference.call) &&
    at(difference.at) &&
    theirs(difference.theirs) &&
    ours(difference.ours);
}

function oneOf(
  patterns: string | readonly string[],
  compile: (pattern: string) => RegExp,
): (text: string) => boolean {
  const compiled = [patterns].flat().map(compile);
  return (text) => compiled.some((pattern) => pattern.test(text));
}

function textPattern(pattern: string): RegExp {
  return new RegExp(`^${pattern.split('*').map(literally).join('.*')}$`, 's');
}

function placePattern(pattern: string): RegExp {
  const parts = pattern.split('**').map((part) => part.split('*').map(literally).join('[^.[\\]]+'));
  return new RegExp(`^${parts.join('.*')}$`, 's');
}

function literally(text: string): string {
  return text.replace(/[.+?^${}()|[\]\\]/g, '\\$&');
}

function valuePattern(known: KnownDifference, side: 'theirs' | 'ours'): (value: unknown) => boolean {
  const pattern = known[side];
  if (!Object.hasOwn(known, side)) return () => true;
  return (value) => fits(pattern, value);
}

function fits(pattern: unknown, value: unknown): boolean {
  if (pattern === absent) return value === undefined;
  if (pattern === present) return value !== undefined;
  if (typeof pattern === 'string') return typeof value === 'string' && textPattern(pattern).test(value);
  if (Array.isArray(pattern)) {
    return (
      Array.isArray(value) &&
      value.length === pattern.length &&
      pattern.every((each, index) => fits(each, value[index]))
    );
  }
  if (!isRecord(pattern)) return Object.is(pattern, value);
  return (
    isRecord(value) &&
    [...new Set([...Object.keys(pattern), ...Object.keys(value)])].every((key) =>
      fits(pattern[key], value[key]),
    )
  );
}
