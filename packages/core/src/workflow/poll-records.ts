/**
 * Who has polled last for the steps of a kind and a domain: kept in memory, and written for the other servers in batches,
 * at most one statement in two seconds and none where nothing has changed. A worker that waits in a long poll is polling.
 * Domains with workers are known at once here, and within about seven seconds of other servers.
 */

import type { Clock } from '../domain/clock.ts';
import type { Pool } from '../store/pool.ts';
import type { BoundStatements } from '../store/statements.ts';
import type { PollRecord } from './port.ts';

interface Entry {
  readonly kind: string;
  readonly domain: string | undefined;
  workerId: string;
  /** By the wall clock, as it is shown. */
  atMs: number;
  /** By the monotonic clock. */
  polledMs: number;
  /** When it was written last; never: minus infinity. */
  writtenMs: number;
}

/** A domain has workers if one of them has polled so lately. */
const activeMs = 10_000;
const flushMs = 2_000;
/** What was written is not written again before; less than `activeMs` by far, so that others do not miss it. */
const rewriteMs = 4_000;
/** What others have written is read again after so long, if somebody wants to know. */
const freshMs = 1_000;
const entriesMost = 50_000;
const batchMost = 1_000;
const listedMost = 10_000;
const keptMs = 30 * 86_400_000;
const forgetEveryMs = 3_600_000;

export class PollRecords {
  private readonly pool: Pool;
  private readonly statements: BoundStatements;
  private readonly clock: Clock;
  private readonly waiting: () => Iterable<Pick<PollRecord, 'kind' | 'domain' | 'workerId'>>;
  private readonly entries = new Map<string, Entry>();
  private readonly changed = new Set<Entry>();
  /** Domains in which workers of other servers poll, by kind, with when they did, by the monotonic clock. */
  private others = new Map<string, number>();
  private readAtMs = Number.NEGATIVE_INFINITY;
  private reading: Promise<void> | undefined;
  private flushing: Promise<void> | undefined;
  private takeBack: (() => void) | undefined;
  private forgetAtMs = 0;
  private lookedAtMs = Number.NEGATIVE_INFINITY;
  private closed = false;

  /** @param waiting the polls that wait now, one of each kind and domain */
  constructor(parts: {
    readonly pool: Pool;
    readonly statements: BoundStatements;
    readonly clock: Clock;
    readonly waiting: () => Iterable<Pick<PollRecord, 'kind' | 'domain' | 'workerId'>>;
  }) {
    this.pool = parts.pool;
    this.statements = parts.statements;
    this.clock = parts.clock;
    this.waiting = parts.waiting;
  }

  /** A worker polls. */
  record(kind: string, domain: string | undefined, workerId: string): void {
    const key = keyOf(kind, domain);
    let entry = this.entries.get(key);
    if (entry === undefined) {
      if (this.entries.size >= entriesMost) this.forgetOldest();
      const writtenMs = Number.NEGATIVE_INFINITY;
      entry = { kind, domain, workerId, atMs: 0, polledMs: 0, writtenMs };
      this.entries.set(key, entry);
    }
    entry.workerId = workerId;
    entry.atMs = this.clock.now();
    entry.polledMs = this.clock.monotonic();
    this.changed.add(entry);
    this.schedule();
  }

  /** Whether a worker has polled within the last 10 s for this kind in this domain, as far as is known here; see `freshen`. */
  isActive(kind: string, domain: string): boolean {
    const key = keyOf(kind, domain);
    const now = this.clock.monotonic();
    this.lookAtWaiting();
    const own = this.entries.get(key)?.polledMs ?? Number.NEGATIVE_INFINITY;
    return now - Math.max(own, this.others.get(key) ?? Number.NEGATIVE_INFINITY) <= activeMs;
  }

  /** Learns what other servers have written, unless that was done within the last second. */
  async freshen(): Promise<void> {
    if (this.clock.monotonic() - this.readAtMs < freshMs) return;
    this.reading ??= this.read().finally(() => {
      this.reading = undefined;
    });
    await this.reading;
  }

  /** Who polled last, of all servers, by kind and domain; at most 10,000. */
  async list(kind?: string): Promise<PollRecord[]> {
    this.lookAtWaiting();
    const rows = await this.pool.query<PollRow>(this.statements.listPolls, [
      kind === undefined ? null : [kind],
      keptMs,
      listedMost,
    ]);
    const found = new Map<string, PollRecord>();
    for (const row of rows) {
      const domain = row.domain === '' ? undefined : row.domain;
      const record = { kind: row.kind, domain, workerId: row.worker_id, at: Number(row.at_ms) };
      found.set(keyOf(row.kind, domain), record);
    }
    for (const [key, entry] of this.entries) {
      if (kind !== undefined && entry.kind !== kind) continue;
      if ((found.get(key)?.at ?? 0) > entry.atMs) continue;
      found.set(key, { kind: entry.kind, domain: entry.domain, workerId: entry.workerId, at: entry.atMs });
    }
    return [...found.values()].slice(0, listedMost);
  }

  /** Writes what is not written yet. */
  async close(): Promise<void> {
    this.closed = true;
    this.takeBack?.();
    await this.flushing;
    for (const entry of this.changed) entry.writtenMs = Number.NEGATIVE_INFINITY;
    await this.flush().catch(() => {});
  }

  private schedule(): void {
    if (this.takeBack !== undefined || this.closed) return;
    this.takeBack = this.clock.after(
      flushMs,
      () => {
        this.takeBack = undefined;
        this.flushing = this.flush()
          // It is memory for others; what is not written now is written with the next.
          .catch(() => {})
          .then(() => {
            this.flushing = undefined;
            this.lookAtWaiting();
            if (this.changed.size > 0) this.schedule();
          });
      },
      true,
    );
  }

  private async flush(): Promise<void> {
    const now = this.clock.monotonic();
    const due: Entry[] = [];
    let any = false;
    for (const entry of this.changed) {
      const age = now - entry.writtenMs;
      any ||= age >= rewriteMs;
      // Those whose turn would come with the next statement go along with this one.
      if (age >= rewriteMs - flushMs && due.length < batchMost) due.push(entry);
    }
    if (!any) return;
    for (const entry of due) {
      this.changed.delete(entry);
      entry.writtenMs = now;
    }
    try {
      await this.pool.query(this.statements.savePolls, [
        due.map(({ kind }) => kind),
        due.map(({ domain }) => domain ?? ''),
        due.map(({ workerId }) => workerId),
        due.map(({ polledMs }) => Math.max(now - polledMs, 0)),
      ]);
      if (now < this.forgetAtMs) return;
      this.forgetAtMs = now + forgetEveryMs;
      await this.pool.query(this.statements.forgetPolls, [keptMs]);
    } catch (error) {
      for (const entry of due) this.changed.add(entry);
      throw error;
    }
  }

  /** Who waits in a long poll is polling at this moment. Looked at when somebody wants to know, and before each write. */
  private lookAtWaiting(): void {
    const now = this.clock.monotonic();
    if (now - this.lookedAtMs < flushMs) return;
    this.lookedAtMs = now;
    for (const { kind, domain, workerId } of this.waiting()) {
      const entry = this.entries.get(keyOf(kind, domain));
      if (entry === undefined) continue;
      entry.workerId = workerId;
      entry.polledMs = now;
      entry.atMs = this.clock.now();
      this.changed.add(entry);
    }
  }

  private async read(): Promise<void> {
    const startedMs = this.clock.monotonic();
    const nowMs = this.clock.now();
    const rows = await this.pool.query<PollRow>(this.statements.listPolls, [null, activeMs, listedMost]);
    const others = new Map<string, number>();
    for (const { kind, domain, at_ms: at } of rows) {
      if (domain === '') continue;
      // How long ago it was by the database's clock is not asked: within the window at the time of reading is enough.
      others.set(keyOf(kind, domain), startedMs - Math.min(Math.max(nowMs - Number(at), 0), activeMs));
    }
    this.others = others;
    this.readAtMs = startedMs;
  }

  private forgetOldest(): void {
    let left = Math.ceil(entriesMost / 10);
    for (const key of this.entries.keys()) {
      this.entries.delete(key);
      left -= 1;
      if (left === 0) return;
    }
  }
}

interface PollRow {
  readonly kind: string;
  readonly domain: string;
  readonly worker_id: string;
  readonly at_ms: string;
}

function keyOf(kind: string, domain: string | undefined): string {
  return domain === undefined ? kind : `${kind}\n${domain}`;
}
