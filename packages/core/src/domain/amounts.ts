/**
 * Named amounts: what a worker offers (`gpu=1`, `memory=16Gi`, `licence=2`) and what a job needs of it while a worker
 * holds it. Written as Kubernetes writes quantities; kept as numbers, exact to a thousandth. Pure.
 */

import { describeValue, LineshaftError } from './errors.ts';
import { fieldsOf } from './fields.ts';

/** Amounts by name, as they are kept: without zeros, names in order, each exact to a thousandth. */
export type Amounts = Readonly<Record<string, number>>;

/** Amounts as a caller gives them: numbers, or texts such as `16Gi` and `500m`. */
export type GivenAmounts = Readonly<Record<string, number | string>>;

export const maxAmounts = 20;
/** 8 Ti. Whole amounts up to this are exact in thousandths (below 2^53 of them). */
export const maxAmount = 8_796_093_022_208;

const namePattern = /^[A-Za-z][A-Za-z0-9_.:/-]{0,62}$/;
/** https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/ */
const quantityPattern =
  /^\+?(\d{1,30})?(?:\.(\d{0,30}))?(?:(n|u|m|k|[MGTPE]|[KMGTPE]i)|[eE]([+-]?\d{1,2}))?$/;

/** Powers of ten, or of two, by suffix. */
const suffixes: Readonly<Record<string, readonly [base: bigint, exponent: number]>> = {
  n: [10n, -9],
  u: [10n, -6],
  m: [10n, -3],
  k: [10n, 3],
  M: [10n, 6],
  G: [10n, 9],
  T: [10n, 12],
  P: [10n, 15],
  E: [10n, 18],
  Ki: [2n, 10],
  Mi: [2n, 20],
  Gi: [2n, 30],
  Ti: [2n, 40],
  Pi: [2n, 50],
  Ei: [2n, 60],
};

/**
 * Named amounts, checked: at most 20; names of 1 to 63 letters, digits or `_ . : / -` that start with a letter; each
 * 0 to 8Ti, exact to a thousandth. Those of 0 are left out.
 *
 * @throws OPTION_INVALID with the field, the value and the range.
 * @example validateAmounts({ gpu: 1, memory: '16Gi' }, 'needs') // { gpu: 1, memory: 17179869184 }
 */
export function validateAmounts(value: unknown, field: string): Amounts {
  const given = Object.entries(fieldsOf(value, field)).filter(([, amount]) => amount !== undefined);
  if (given.length > maxAmounts) {
    throw new LineshaftError('OPTION_INVALID', {
      message: `${field} must be at most ${maxAmounts} amounts, not ${given.length}`,
      details: { field },
    });
  }
  const checked: [string, number][] = [];
  for (const [name, amount] of given.sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (!namePattern.test(name)) {
      throw new LineshaftError('OPTION_INVALID', {
        message:
          `${field} must have names of 1 to 63 letters, digits or '_ . : / -' that start with a letter, ` +
          `not ${describeValue(name)}`,
        details: { field },
      });
    }
    const parsed = parseAmount(amount, `${field}.${name}`);
    if (parsed > 0) checked.push([name, parsed]);
  }
  return Object.fromEntries(checked);
}

/**
 * One amount: a number, or a quantity as Kubernetes writes it: `2`, `0.5`, `500m`, `3k`, `16Gi`, `1e3`.
 *
 * Suffixes: `n u m k M G T P E` (powers of 1000), `Ki Mi Gi Ti Pi Ei` (of 1024), or an exponent. 0 to 8Ti.
 * @throws OPTION_INVALID; also for what is finer than a thousandth, which would not be exact.
 */
export function parseAmount(value: unknown, field: string): number {
  const thousandths =
    typeof value === 'number' && Number.isFinite(value) && value >= 0
      ? thousandthsOf(plainText(value))
      : typeof value === 'string'
        ? thousandthsOf(value.trim())
        : undefined;
  if (thousandths !== undefined && thousandths <= BigInt(maxAmount) * 1000n)
    return Number(thousandths) / 1000;
  throw new LineshaftError('OPTION_INVALID', {
    message: `${field} must be an amount from 0 to 8Ti, exact to a thousandth, such as 2, 0.5, 500m or 16Gi, not ${describeValue(value)}`,
    details: { field },
  });
}

/** Numbers below a millionth and above 10^21 are written with an exponent, which the pattern knows too. */
function plainText(value: number): string {
  return String(value);
}

/** In thousandths; undefined where it is no quantity, or finer than that. */
function thousandthsOf(text: string): bigint | undefined {
  const [, whole = '', fraction = '', suffix, exponent] = quantityPattern.exec(text) ?? [];
  if (whole === '' && fraction === '') return undefined;
  const [base, power] =
    suffix === undefined ? ([10n, Number(exponent ?? 0)] as const) : (suffixes[suffix] ?? [10n, 0]);
  let numerator = BigInt(whole + fraction) * 1000n;
  let denominator = 10n ** BigInt(fraction.length);
  if (power >= 0) numerator *= base ** BigInt(power);
  else denominator *= base ** BigInt(-power);
  return numerator % denominator === 0n ? numerator / denominator : undefined;
}

/** An amount as people write it: `16Gi`, `500m`, `3`. `parseAmount` reads it back. */
export function amountText(amount: number): string {
  if (!Number.isInteger(amount)) return amount < 1 ? `${Math.round(amount * 1000)}m` : String(amount);
  for (const [suffix, power] of [
    ['Ti', 40],
    ['Gi', 30],
    ['Mi', 20],
    ['Ki', 10],
  ] as const) {
    if (amount >= 2 ** power && amount % 2 ** power === 0) return `${amount / 2 ** power}${suffix}`;
  }
  return String(amount);
}

/** `gpu=1, memory=16Gi`, or `nothing`. */
export function amountsText(amounts: Amounts): string {
  const texts = Object.entries(amounts).map(([name, amount]) => `${name}=${amountText(amount)}`);
  return texts.join(', ') || 'nothing';
}

/** How much there is of one name; 0 where nothing is said of it. */
export function amountOf(amounts: Amounts, name: string): number {
  return Object.hasOwn(amounts, name) ? (amounts[name] ?? 0) : 0;
}

/** How many times `needs` fit into what is free; infinite for needs of nothing. */
export function timesFitting(needs: Amounts, free: Amounts): number {
  let times = Number.POSITIVE_INFINITY;
  for (const [name, amount] of Object.entries(needs)) {
    times = Math.min(times, Math.floor(thousandths(amountOf(free, name)) / thousandths(amount)));
  }
  return Math.max(times, 0);
}

/** Whether a worker that offers this could ever run a job that needs that. */
export function offersEnough(offers: Amounts, needs: Amounts): boolean {
  return timesFitting(needs, offers) >= 1;
}

/** The names of which there is too little. */
export function shortOf(needs: Amounts, free: Amounts): string[] {
  return Object.keys(needs).filter(
    (name) => thousandths(amountOf(free, name)) < thousandths(amountOf(needs, name)),
  );
}

/** What is left of `free` when `needs` are taken from it so many times; may be below 0. Negative times give back. */
export function takeAmounts(free: Amounts, needs: Amounts, times = 1): Amounts {
  const left: Record<string, number> = { ...free };
  for (const [name, amount] of Object.entries(needs)) {
    left[name] = (thousandths(amountOf(free, name)) - times * thousandths(amount)) / 1000;
  }
  return left;
}

/** Whole numbers add up exactly, fractions do not. */
function thousandths(amount: number): number {
  return Math.round(amount * 1000);
}
