/** How wide a text is on a terminal, and how to make it fit. Pure. */

import { stripVTControlCharacters } from 'node:util';

const plain = /^[\x20-\x7e]*$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const controls = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g;
/** East Asian wide and full-width characters (Unicode Standard Annex #11), as far as people type them. */
const wideRanges = [
  '\\u1100-\\u115f\\u2e80-\\u303e\\u3041-\\u33ff\\u3400-\\u4dbf\\u4e00-\\u9fff\\ua000-\\ua4cf\\ua960-\\ua97f',
  '\\uac00-\\ud7a3\\uf900-\\ufaff\\ufe30-\\ufe6f\\uff01-\\uff60\\uffe0-\\uffe6',
  '\\u{1f300}-\\u{1faff}\\u{20000}-\\u{3fffd}',
];
const wide = new RegExp(`[${wideRanges.join('')}]`, 'u');
const emoji = /^(?:\p{Emoji_Presentation}|\p{Emoji}\ufe0f|\p{Regional_Indicator}{2})/u;
const invisible = /^[\p{Mark}\p{Format}]+$/u;
const segmenter = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** Columns that a text takes on a terminal; styles take none. */
export function displayWidth(text: string): number {
  if (plain.test(text)) return text.length;
  let width = 0;
  for (const { segment } of segmenter.segment(stripVTControlCharacters(text)))
    width += graphemeWidth(segment);
  return width;
}

/** A plain text cut to so many columns; what was cut shows as `…`. */
export function fitText(text: string, columns: number): string {
  if (displayWidth(text) <= columns) return text;
  let kept = '';
  let width = 0;
  for (const { segment } of segmenter.segment(text)) {
    width += graphemeWidth(segment);
    if (width > columns - 1) break;
    kept += segment;
  }
  return `${kept}…`;
}

/** A text from outside on one line: no line ends, and nothing that would steer the terminal. */
export function oneLine(text: string): string {
  return text.replace(controls, ' ').trim();
}

/** A text from outside on several lines, without what would steer the terminal. */
export function printable(text: string): string {
  return text
    .split(/\r?\n/)
    .map((line) => line.replaceAll('\t', '  ').replace(controls, '\ufffd'))
    .join('\n');
}

function graphemeWidth(grapheme: string): number {
  if (emoji.test(grapheme) || wide.test(grapheme)) return 2;
  return invisible.test(grapheme) ? 0 : 1;
}
