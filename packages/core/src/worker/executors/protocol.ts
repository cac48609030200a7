/**
 * What the worker and a child (a thread, or a process in any language) say to each other.
 *
 * A message is a JSON array whose first element names it; a text holds an array of messages, so that a burst
 * is one text. Threads get texts by `postMessage`. Processes read lines from file descriptor 3 and write
 * lines to 4 (1 and 2 stay the user's). An empty array from the child says: look what has finished. Further
 * descriptors:
 *
 * - 5, turns: before it starts an attempt the child reads one byte. If there was none it must not start it,
 *   or any after it. So the worker can take back what has not started, also from a child that hangs or is
 *   dead, without asking it; and no attempt is started twice.
 * - 6, finished: where the child may note attempts that succeeded without output, instead of sending `ok`.
 * - 7 says only that the worker lives: when it ends, the child ends itself.
 *
 * 5 and 6 are explained in `process-turns.ts`; `thread-turns.ts` is the same for threads.
 *
 * Attempts start in the order in which they came, one at a time, and a result is written before the next turn
 * is taken. After the worker has taken turns back it sends `drop` and gives no new ones until `dropped`; the
 * next attempts then get the numbers (`seq`) of those that were dropped.
 */

import type { ErrorRecord } from '../../domain/attempt.ts';
import type { EnqueueRequest } from '../../domain/job-options.ts';
import type { Interruption } from './outcomes.ts';
import { returned } from './outcomes.ts';
import type { Attempt, AttemptEvent, Outcome } from './port.ts';

/** One attempt: `0` stands for what is absent or empty. */
export type RunMessage = readonly [
  'run',
  seq: number,
  kind: string,
  jobId: string,
  queue: string,
  attempt: number,
  maxAttempts: number,
  payloadText: string,
  timeoutMs: number,
  labels: Readonly<Record<string, string>> | 0,
  meta: Readonly<Record<string, unknown>> | 0,
];

/** From the worker to the child. */
export type DownMessage =
  /**
   * First message: the kinds, and for each the URL of its module and the export. Answer: `ready` or
   * `refused`.
   */
  | readonly ['init', handlers: readonly (readonly [kind: string, url: string, exportName: string])[]]
  | RunMessage
  /** Ask the attempt to end: abort its signal. Its outcome is sent as ever. */
  | readonly ['cancel', seq: number, reason: Interruption]
  /** Forget all attempts that have not started. Answer: `dropped`. */
  | readonly ['drop']
  /** End when all attempts that came before this have ended. */
  | readonly ['stop'];

/** From the child to the worker. */
export type UpMessage =
  | readonly ['ready']
  /** A handler could not be loaded. */
  | readonly ['refused', error: ErrorRecord]
  /** The handler has started; sent for attempts that are not expected to end within a moment. */
  | readonly ['start', seq: number]
  | readonly ['event', seq: number, event: AttemptEvent]
  /** `us`: how long the handler ran, in microseconds. */
  | readonly ['ok', seq: number, us: number, outputText?: string | null, enqueue?: readonly EnqueueRequest[]]
  | readonly [
      'failed',
      seq: number,
      us: number,
      error: ErrorRecord,
      retryable: boolean,
      retryAfterMs?: number,
    ]
  | readonly ['snoozed', seq: number, us: number, delayMs: number, closes?: string]
  | readonly ['cancelled', seq: number, us: number, reason: string]
  | readonly ['returned', seq: number, us: number]
  | readonly ['dropped']
  /** Something was thrown outside of any handler; the child ends now. */
  | readonly ['fatal', error: ErrorRecord, retryable: boolean]
  /** A line for the log of the worker. */
  | readonly ['log', level: 'warn' | 'error', message: string];

/** The message that runs an attempt. */
export function encodeRun(seq: number, attempt: Attempt): RunMessage {
  return [
    'run',
    seq,
    attempt.kind,
    attempt.jobId,
    attempt.queue,
    attempt.attempt,
    attempt.maxAttempts,
    attempt.payloadText,
    attempt.timeoutMs ?? 0,
    isEmpty(attempt.labels) ? 0 : attempt.labels,
    isEmpty(attempt.meta) ? 0 : attempt.meta,
  ];
}

const nothing = Object.freeze({});

/** The attempt in a message; its memory limit stays with the worker, which holds it. */
export function decodeRun(message: RunMessage): Attempt {
  return {
    kind: message[2],
    jobId: message[3],
    queue: message[4],
    attempt: message[5],
    maxAttempts: message[6],
    payloadText: message[7],
    timeoutMs: message[8] === 0 ? undefined : message[8],
    labels: message[9] === 0 ? nothing : message[9],
    meta: message[10] === 0 ? nothing : message[10],
    memoryBytes: undefined,
  };
}

/** The message that ends an attempt. */
export function encodeOutcome(seq: number, us: number, outcome: Outcome): UpMessage {
  switch (outcome.type) {
    case 'succeeded':
      if (outcome.enqueue.length === 0) return ['ok', seq, us, outcome.outputText ?? null];
      return ['ok', seq, us, outcome.outputText ?? null, outcome.enqueue];
    case 'failed':
      if (outcome.retryAfterMs === undefined) return ['failed', seq, us, outcome.error, outcome.retryable];
      return ['failed', seq, us, outcome.error, outcome.retryable, outcome.retryAfterMs];
    case 'snoozed':
      if (outcome.closes === undefined) return ['snoozed', seq, us, outcome.delayMs];
      return ['snoozed', seq, us, outcome.delayMs, outcome.closes];
    case 'cancelled':
      return ['cancelled', seq, us, outcome.reason];
    case 'returned':
      return ['returned', seq, us];
  }
}

/** The outcome in a message that ends an attempt. */
export function decodeOutcome(message: UpMessage): Outcome {
  switch (message[0]) {
    case 'ok':
      return { type: 'succeeded', outputText: message[3] ?? undefined, enqueue: message[4] ?? [] };
    case 'failed':
      if (message[5] === undefined) return { type: 'failed', error: message[3], retryable: message[4] };
      return { type: 'failed', error: message[3], retryable: message[4], retryAfterMs: message[5] };
    case 'snoozed':
      if (message[4] === undefined) return { type: 'snoozed', delayMs: message[3] };
      return { type: 'snoozed', delayMs: message[3], closes: message[4] };
    case 'cancelled':
      return { type: 'cancelled', reason: message[3] };
    default:
      return returned;
  }
}

/** Reads a text of messages. @throws SyntaxError when it is not one */
export function parseMessages<Message>(text: string): readonly Message[] {
  const messages: unknown = JSON.parse(text);
  if (!Array.isArray(messages)) throw new SyntaxError('a text must hold an array of messages');
  return messages as readonly Message[];
}

function isEmpty(record: object): boolean {
  for (const _ in record) return false;
  return true;
}
