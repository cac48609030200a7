/** What is kept of an attempt that failed, and how any thrown value becomes such a record. Pure. */

import { isLineshaftError } from './errors.ts';

/** One failed attempt, as it is stored with the job and shown by `job show`. */
export interface ErrorRecord {
  /** Class name of the error, or `Error` where a value that is no error was thrown. */
  readonly name: string;
  /** At most `messageMaxLength` characters. */
  readonly message: string;
  /** Stable code if the error had one (`error.code`). */
  readonly code?: string;
  /** Stack as text, at most `stackMaxLength` characters; absent where there was none. */
  readonly stack?: string;
  /** 1 for the first attempt. */
  readonly attempt?: number;
  /** When it failed, ISO 8601, by the clock of the worker. */
  readonly at?: string;
}

export const messageMaxLength = 2_000;
export const stackMaxLength = 8_000;
/** How many failed attempts are kept per job; the oldest are dropped first, the very first is kept. */
export const errorsKept = 10;

/** Turns anything that can be thrown (null, a string, a cyclic object) into a record; never throws itself. */
export function recordError(thrown: unknown): ErrorRecord {
  try {
    if (typeof thrown === 'object' && thrown !== null) return recordObject(thrown);
    return { name: 'Error', message: clip(`thrown: ${String(thrown)}`, messageMaxLength) };
  } catch {
    return { name: 'Error', message: 'the thrown value could not be read' };
  }
}

function recordObject(thrown: object): ErrorRecord {
  const candidate = thrown as { name?: unknown; message?: unknown; code?: unknown; stack?: unknown };
  const message =
    typeof candidate.message === 'string' ? candidate.message : `thrown: ${describeObject(thrown)}`;
  const cause = describeCause(thrown);
  return {
    name: typeof candidate.name === 'string' ? clip(candidate.name, 200) : 'Error',
    message: clip(cause === undefined ? message : `${message} (cause: ${cause})`, messageMaxLength),
    ...(typeof candidate.code === 'string' ? { code: clip(candidate.code, 200) } : {}),
    ...(typeof candidate.stack === 'string'
      ? { stack: clip(userFrames(candidate.stack), stackMaxLength) }
      : {}),
  };
}

/** Whether a thrown value says that trying again is useless (`retryable: false`). */
export function isRetryable(thrown: unknown): boolean {
  if (isLineshaftError(thrown)) return thrown.retryable;
  if (typeof thrown !== 'object' || thrown === null) return true;
  return (thrown as { retryable?: unknown }).retryable !== false;
}

/** Adds a record to those kept, dropping the oldest but the first when there are too many. */
export function appendError(kept: readonly ErrorRecord[], next: ErrorRecord): readonly ErrorRecord[] {
  const all = [...kept, next];
  if (all.length <= errorsKept) return all;
  return [...all.slice(0, 1), ...all.slice(all.length - errorsKept + 1)];
}

/** A stack without the frames of the worker that called the handler: they tell the user nothing. */
function userFrames(stack: string): string {
  return stack
    .split('\n')
    .filter((line) => !(frame.test(line) && ownPlaces.some((place) => line.includes(place))))
    .join('\n');
}

const frame = /^\s+at /;
const ownPlaces = ['/core/dist/worker/', '/core/src/worker/', 'node:internal/'];

function describeCause(thrown: object): string | undefined {
  const cause = (thrown as { cause?: unknown }).cause;
  if (cause === undefined || cause === null || cause === thrown) return undefined;
  if (typeof cause !== 'object') return clip(String(cause), 300);
  const message = (cause as { message?: unknown }).message;
  return typeof message === 'string' ? clip(message, 300) : undefined;
}

function describeObject(value: object): string {
  try {
    return clip(JSON.stringify(value) ?? Object.prototype.toString.call(value), 300);
  } catch {
    return Object.prototype.toString.call(value);
  }
}

/** Cuts a text, and drops NUL characters, which PostgreSQL cannot hold. */
function clip(text: string, length: number): string {
  const clean = text.includes('\u0000') ? text.replaceAll('\u0000', '\uFFFD') : text;
  return (clean.length > length ? `${clean.slice(0, length - 1)}…` : clean).toWellFormed();
}
