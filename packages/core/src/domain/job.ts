/**
 * The states of a job, and what leads from one to another: the one table that the SQL follows.
 *
 * ```text
 *   enqueue-later         enqueue        enqueue-blocked
 *         │                  │                  │
 *         ▼     promote      ▼      release     ▼
 *     scheduled ─────────► ready ◄────────── blocked
 *         ▲                │ ▲ ▲
 *         │          claim │ │ └── promote ── retrying
 *         │                ▼ │ give-back,       ▲
 *         │                │ │ rescue           │
 *         └──── snooze ── running ─── retry ────┘
 *                         │  │  └──── block ──► blocked
 *                 succeed │  │ fail, bury
 *                 ┌───────┘  │
 *                 ▼          ▼
 *             succeeded    failed ── redrive ─► ready
 *
 *     blocked, scheduled, ready, retrying, running ── cancel ──► cancelled
 *     blocked, scheduled, ready, retrying ── redrive ──► ready
 *     scheduled, ready, retrying ── postpone ──► scheduled, ── hasten ──► ready
 * ```
 *
 * Pure.
 */

/**
 * - `blocked` waits for something other than time: other jobs, a limit, an upgrade that works.
 * - `scheduled` waits for its time; `retrying` does too, after a failed attempt.
 * - `ready` may be claimed now; `running` is claimed.
 * - `succeeded` and `cancelled` are final; `failed` is a dead letter, which can be redriven.
 */
export type JobState =
  | 'blocked'
  | 'scheduled'
  | 'ready'
  | 'running'
  | 'retrying'
  | 'succeeded'
  | 'failed'
  | 'cancelled';

/** All states, in the order in which people expect them. */
export const jobStates = [
  'blocked',
  'scheduled',
  'ready',
  'running',
  'retrying',
  'succeeded',
  'failed',
  'cancelled',
] as const satisfies readonly JobState[];

/** Where a job is before it was enqueued. */
export type BeforeJob = 'new';

/** Per command: from which state it leads to which. What is not in the table is refused, or does nothing. */
const table = {
  /** Enqueued to run now. */
  enqueue: { new: 'ready' },
  /** Enqueued with a time that is to come. */
  'enqueue-later': { new: 'scheduled' },
  /** Enqueued behind other jobs. */
  'enqueue-blocked': { new: 'blocked' },
  /** Its time has come. */
  promote: { scheduled: 'ready', retrying: 'ready' },
  /** What it waited for has happened. */
  release: { blocked: 'ready' },
  /** Another enqueue with its unique key gave it a later time. */
  postpone: { ready: 'scheduled', scheduled: 'scheduled', retrying: 'scheduled' },
  /** Another enqueue with its unique key gave it a time that has come. */
  hasten: { ready: 'ready', scheduled: 'ready', retrying: 'ready' },
  /** A worker takes it. */
  claim: { ready: 'running' },
  /** The handler returned. */
  succeed: { running: 'succeeded' },
  /** The attempt failed and there are attempts left. */
  retry: { running: 'retrying' },
  /** The attempt failed for good: the last one, or one that says that trying again is useless. */
  fail: { running: 'failed' },
  /** The handler asked to be called later; the attempt does not count. */
  snooze: { running: 'scheduled' },
  /** The worker did not start it, or stops; the attempt does not count. */
  'give-back': { running: 'ready' },
  /** The lease of its worker ran out. */
  rescue: { running: 'ready' },
  /** It was rescued as often as is allowed: it kills its workers. */
  bury: { running: 'failed' },
  /** Its payload could not be upgraded; the attempt does not count. */
  block: { running: 'blocked' },
  /** A person or program does not want it any more. A late result of its attempt is dropped. */
  cancel: {
    blocked: 'cancelled',
    scheduled: 'cancelled',
    ready: 'cancelled',
    running: 'cancelled',
    retrying: 'cancelled',
  },
  /** `job retry`: a dead letter gets new attempts, a waiting job goes at once. */
  redrive: { failed: 'ready', blocked: 'ready', scheduled: 'ready', retrying: 'ready', ready: 'ready' },
} as const satisfies Record<string, { readonly [From in JobState | BeforeJob]?: JobState }>;

/** What can be done to a job. */
export type JobCommand = keyof typeof table;

/** All commands. */
export const jobCommands = Object.keys(table) as readonly JobCommand[];

/**
 * The state to which a command leads, or undefined where it is not allowed: then nothing changes.
 *
 * @param from The state of the job, or `new` before it is enqueued.
 * @example transition('ready', 'claim') // 'running'
 * @example transition('cancelled', 'succeed') // undefined: a late result is dropped
 */
export function transition(from: JobState | BeforeJob, command: JobCommand): JobState | undefined {
  const row: { readonly [From in JobState | BeforeJob]?: JobState } = table[command];
  return row[from];
}

/**
 * Whether no work is left to do in this state. A `failed` job can still be redriven, by a person's decision.
 */
export function isFinal(state: JobState): state is 'succeeded' | 'failed' | 'cancelled' {
  return state === 'succeeded' || state === 'failed' || state === 'cancelled';
}
