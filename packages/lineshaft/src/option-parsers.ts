/**
 * Parsers for the values of options; each refuses what it does not understand with option, value and remedy.
 */

import { Option } from 'commander';
import { parseDuration } from './durations.ts';
import { UsageError } from './usage-error.ts';

/** An option whose values are known to help and completion, and checked elsewhere, with a suggestion. */
export function hinted(flags: string, description: string, values: readonly string[]): Option {
  const option = new Option(flags, description);
  option.argChoices = [...values];
  return option;
}

type Parser<Value> = (text: string, previous: Value | undefined) => Value;

/** A whole number; its range is checked where it is used, unless it is given here. */
export function wholeNumber(option: string, least = Number.MIN_SAFE_INTEGER, most?: number): Parser<number> {
  return (text) => {
    const number = /^[+-]?\d+$/.test(text.trim()) ? Number(text) : Number.NaN;
    if (Number.isSafeInteger(number) && number >= least && (most === undefined || number <= most))
      return number;
    const from =
      least === Number.MIN_SAFE_INTEGER
        ? ''
        : most === undefined
          ? ` of at least ${least}`
          : ` from ${least}`;
    const to = most === undefined ? '' : ` to ${most}`;
    throw new UsageError(`${option} must be a whole number${from}${to}, not '${text}'`, { field: option });
  };
}

/** A duration in milliseconds. */
export function duration(option: string): Parser<number> {
  return (text) => parseDuration(text, option);
}

/** A list with commas, which may also be given several times. */
export function commaList(option: string): Parser<string[]> {
  return (text, previous = []) => {
    const names = text.split(',').map((name) => name.trim());
    if (names.every((name) => name !== '')) return [...previous, ...names];
    throw new UsageError(
      `${option} must be names with commas between them, such as mail,reports, not '${text}'`,
      {
        field: option,
      },
    );
  };
}

/** An option that may be given several times. */
export function repeated(text: string, previous: string[] = []): string[] {
  return [...previous, text];
}

/** `key=value` pairs, which may be given several times. */
export function keyValues(option: string): Parser<Record<string, string>> {
  return (text, previous = {}) => {
    const split = text.indexOf('=');
    if (split > 0) return { ...previous, [text.slice(0, split)]: text.slice(split + 1) };
    throw new UsageError(`${option} must be key=value, not '${text}'`, { field: option });
  };
}
