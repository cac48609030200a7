/** A claimed job in the memory of its worker: what an executor needs of it, and what its completion must name. */

import type { ErrorRecord } from '../domain/attempt.ts';
import type { Backoff, StoredOptions } from '../domain/job-options.ts';
import type { RetryRule } from '../domain/retry-rules.ts';
import type { JsonObject } from '../domain/workflow/definition.ts';
import type { Row } from '../store/session.ts';
import type { Attempt } from './executors/port.ts';
import type { Lane } from './lanes.ts';
import type { Tally } from './metrics.ts';
import type { QueueRuntime } from './queue-runtime.ts';

/** A batch of jobs that were claimed together; its row fences their completions. */
export class Lease {
  readonly id: string;
  /** Jobs under this lease that have not ended, by id. */
  readonly open = new Map<string, HeldJob>();
  readonly takenAtMs: number;
  /** Jobs whose end is not written yet; the row of the lease goes with the last of them. */
  unsettled = 0;
  /** The row has gone with the write that ended the last of them, or goes by itself (`emptied-leases.ts`). */
  isGone = false;
  /** How many jobs its row names; larger than `open.size` once some have ended. */
  listed = 0;

  constructor(id: string, takenAtMs: number) {
    this.id = id;
    this.takenAtMs = takenAtMs;
  }
}

/** What a job has beside its payload: [fence, attempt, rescued, version, options, errors, due, costs]. */
type Rest = readonly [
  number,
  number,
  number,
  number,
  StoredOptions | null,
  readonly ErrorRecord[] | null,
  number,
  (readonly number[] | null)?,
];

/** Of a job that is new and has nothing but a payload; the database sends null for it. */
const plain: Rest = [0, 0, 0, 1, null, null, 0];
const noOptions: StoredOptions = Object.freeze({});
const noErrors: readonly ErrorRecord[] = [];
const nothing = Object.freeze({});

export class HeldJob implements Attempt {
  readonly jobId: string;
  readonly lease: Lease;
  readonly lane: Lane;
  readonly runtime: QueueRuntime;
  readonly createdMs: string;
  /** As it was sent; `payloadText` may have been upgraded. */
  readonly sentText: string;
  /** Of a step whose run this process has, as it is: to be copied before it is given to anybody. */
  payload: JsonObject | undefined;
  /** Of a step that was handed to this worker. */
  runId: string | undefined;
  startedMs = 0;
  state: 'waiting' | 'running' | 'ended' = 'waiting';
  progressed = false;
  /** Frees the amounts that it holds. */
  onEnded: (() => void) | undefined;
  /** The round of the circuit breaker whose probe it is; undefined: none. */
  probe: number | undefined;
  /** Since when this worker has been given step after step of its run, by the monotonic clock; of a claimed job, since the claim. */
  sinceMs: number;
  /** The keyed lane from which it was claimed, where it is under limits. */
  readonly keyed: number | undefined;
  /** What it has really cost, by names of limits (empty: the default), as its attempt has said. */
  spent: Map<string, number> | undefined;
  private readonly rest: Rest;
  private ownText: string | undefined;

  /** @param row of `claim_lane.sql` or `claim_keyed.sql`, or one like it of what is handed to the worker */
  constructor(row: Row, lease: Lease, lane: Lane, runtime: QueueRuntime) {
    const rest = row[5];
    this.jobId = row[1] as string;
    this.lease = lease;
    this.sinceMs = lease.takenAtMs;
    this.lane = lane;
    this.runtime = runtime;
    this.createdMs = row[3] as string;
    this.sentText = row[4] as string;
    this.keyed = row[6] == null ? undefined : Number(row[6]);
    this.rest = rest == null ? plain : (JSON.parse(rest) as Rest);
  }

  /** What its handler is given: as JSON, or as it is, which nobody may change. */
  give(input: string | JsonObject): void {
    if (typeof input === 'string') this.payloadText = input;
    else this.payload = input;
  }

  get payloadText(): string {
    if (this.payload !== undefined) this.payloadText = JSON.stringify(this.payload);
    return this.ownText ?? this.sentText;
  }

  set payloadText(text: string) {
    this.ownText = text;
    this.payload = undefined;
  }

  /** It is done with here, however it ended: nothing of this worker's is held for it any longer. */
  end(): void {
    this.state = 'ended';
    this.lease.open.delete(this.jobId);
    this.onEnded?.();
    this.onEnded = undefined;
  }

  /** Changes whenever the job goes back to wait; a write that names an older one changes nothing. */
  get fence(): number {
    return this.rest[0];
  }

  /** Attempts that ended and count, before this one. */
  get attemptsBefore(): number {
    return this.rest[1];
  }

  /** How often a worker died while it had this job; from the first time on it runs alone among its like. */
  get rescued(): number {
    return this.rest[2];
  }

  /** The version of the payload as it was sent. */
  get version(): number {
    return this.rest[3];
  }

  get options(): StoredOptions {
    return this.rest[4] ?? noOptions;
  }

  get errors(): readonly ErrorRecord[] {
    return this.rest[5] ?? noErrors;
  }

  /** Since when it may start, by the clock of the database. */
  get dueMs(): number {
    return Number(this.createdMs) + this.rest[6];
  }

  /** What was taken of each limit of its keyed lane when it was claimed; null: 1 of each. */
  get costs(): readonly number[] | null {
    return this.rest[7] ?? null;
  }

  /** Where it is counted. */
  get tally(): Tally {
    this.lane.tally ??= this.runtime.tallyOf(this.lane.kind);
    return this.lane.tally;
  }

  /** Whether it has nothing beside its payload: no options, no errors, never tried before. */
  get isPlain(): boolean {
    return this.rest === plain;
  }

  get kind(): string {
    return this.lane.kind;
  }

  get queue(): string {
    return this.runtime.queue.name;
  }

  get attempt(): number {
    return this.attemptsBefore + 1;
  }

  get maxAttempts(): number {
    return this.options.maxAttempts ?? this.runtime.queue.maxAttempts;
  }

  get backoff(): Backoff {
    return this.options.backoff ?? this.runtime.queue.backoff;
  }

  /** Whether its unique key covers it only while it waits. */
  get freesKeyAtClaim(): boolean {
    return this.options.unique?.states?.every((state) => state === 'waiting') ?? false;
  }

  get retryRules(): readonly RetryRule[] {
    return this.runtime.queue.retryRules;
  }

  get labels(): Readonly<Record<string, string>> {
    return this.options.labels ?? nothing;
  }

  get meta(): Readonly<Record<string, unknown>> {
    return this.options.meta ?? nothing;
  }

  get timeoutMs(): number | undefined {
    return this.options.limits?.timeoutMs ?? this.runtime.queue.limits.timeoutMs;
  }

  /** How long it may be silent before it is taken back; undefined: as long as its worker is heard of. */
  get leaseMs(): number | undefined {
    return this.options.limits?.leaseMs ?? this.runtime.queue.limits.leaseMs;
  }

  get memoryBytes(): number | undefined {
    return this.options.limits?.memoryBytes ?? this.runtime.queue.limits.memoryBytes;
  }

  /** How long the finished job is remembered, in ms. */
  keepMs(outcome: 'succeeded' | 'failed' | 'cancelled'): number {
    const field = `${outcome}Ms` as const;
    return this.options.retention?.[field] ?? this.runtime.queue.retention[field];
  }
}
