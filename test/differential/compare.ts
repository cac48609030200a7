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

/** A difference that is known. In its patterns `*` stands for any text. */
export interface KnownDifference {
  readonly scenario: string;
  readonly call: string;
  readonly at: string;
  /** Why it is so. */
  readonly reason: string;
  /** It is not meant: a defect of ours, which the list must lose. */
  readonly open?: boolean;
  /** Depends on who is quicker: it need not show in each run. */
  readonly sometimes?: boolean;
}

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
  /** Differences that are not in the list. */
  readonly unknown: readonly Difference[];
  /** Entries of the list that nothing met. */
  readonly unmet: readonly KnownDifference[];
}

/** Holds differences against the list of those that are known. */
export function judge(differences: readonly Difference[], known: readonly KnownDifference[]): Judgement {
  const patterns = known.map((entry) => ({ entry, matches: matcher(entry), met: false }));
  const unknown = differences.filter((difference) => {
    const explaining = patterns.filter((pattern) => pattern.matches(difference));
    for (const pattern of explaining) pattern.met = true;
    return explaining.length === 0;
  });
  const unmet = patterns
    .filter(({ entry, met }) => !met && entry.sometimes !== true)
    .map(({ entry }) => entry);
  return { unknown, unmet };
}

function matcher(known: KnownDifference): (difference: Difference) => boolean {
  const [scenario, call, at] = [known.scenario, known.call, known.at].map(glob);
  return (difference) =>
    scenario?.test(difference.scenario) === true &&
    call?.test(difference.call) === true &&
    at?.test(difference.at) === true;
}

function glob(pattern: string): RegExp {
  const parts = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 's');
}
