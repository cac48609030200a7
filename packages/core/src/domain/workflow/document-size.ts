/**
 * How large documents may be: inputs and outputs of runs and steps, as JSON. What goes beyond is refused or fails, as in Conductor.
 * Pure; that a small document is small costs one look at it, its text is not made.
 */

import { LineshaftError } from '../errors.ts';
import { utf8Bytes } from '../payload-text.ts';

/** In bytes, as JSON. */
export interface DocumentLimits {
  /** Default 10 MiB each. */
  readonly runInput: number;
  readonly runOutput: number;
  readonly stepInput: number;
  readonly stepOutput: number;
}

/** Whose document it is, in the words of what is said of it. */
export interface Owner {
  readonly run: string;
  /** undefined: it is that of the run. */
  readonly step?: string | undefined;
}

/** Why a document is refused; undefined: it is small enough. */
export function oversize(document: unknown, maxBytes: number, owner: Owner): string | undefined {
  const bytes = bytesBeyond(document, maxBytes);
  if (bytes === undefined) return undefined;
  const whose = owner.step === undefined ? '' : `task: ${owner.step} in `;
  return (
    `The payload size: ${bytes} of ${whose}workflow: ${owner.run} is greater than the permissible limit: ` +
    `${Math.floor(maxBytes / 1_024)} kilobytes`
  );
}

/** @throws LineshaftError PAYLOAD_TOO_LARGE */
export function demandSize(document: unknown, maxBytes: number, owner: Owner): void {
  const trouble = oversize(document, maxBytes, owner);
  if (trouble === undefined) return;
  throw new LineshaftError('PAYLOAD_TOO_LARGE', { message: trouble, details: { maxBytes } });
}

/** The bytes of a document as JSON, if it has more than so many. */
export function bytesBeyond(document: unknown, most: number): number | undefined {
  if (isSurelyWithin(document, most)) return undefined;
  const bytes = utf8Bytes(JSON.stringify(document));
  return bytes > most ? bytes : undefined;
}

/** A character has at most six bytes in JSON (`\\u0000`), a number or a constant at most 25. */
const characterBytes = 6;
const scalarBytes = 25;

function isSurelyWithin(document: unknown, most: number): boolean {
  let left = most;
  const waiting: unknown[] = [document];
  while (waiting.length > 0) {
    const value = waiting.pop();
    if (typeof value === 'string') left -= characterBytes * value.length + 3;
    else if (typeof value !== 'object' || value === null) left -= scalarBytes;
    else if (Array.isArray(value)) {
      left -= value.length + 2;
      for (const item of value) waiting.push(item);
    } else {
      for (const name of Object.keys(value)) {
        left -= characterBytes * name.length + 4;
        waiting.push((value as Record<string, unknown>)[name]);
      }
      left -= 2;
    }
    if (left < 0) return false;
  }
  return true;
}
