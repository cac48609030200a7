/**
 * The circuit breakers of the kinds that a worker knows: their states in memory, so that a claim costs nothing more;
 * how attempts ended, counted here and written at most once a second; and the probes of half-open circuits. What
 * is decided, `domain/circuit.ts` decides, upon a version of the row: a write that comes second changes nothing,
 * and is decided anew. So all workers agree, and no lock is held while one of them thinks.
 */

import {
  type Circuit,
  type CircuitOptions,
  type CircuitSettings,
  countAttempts,
  endProbes,
  mayProbe,
  takeProbes,
} from '../domain/circuit.ts';
import type { Clock } from '../domain/clock.ts';
import { type CircuitFacts, factsFrom, isNews, settingsOf } from '../queue/circuit-facts.ts';
import { textArray } from '../queue/enqueue-batch.ts';
import { Loop, type Service } from '../services/service.ts';
import type { Session } from '../store/session.ts';
import type { BoundStatements } from '../store/statements.ts';
import type { Result } from './completer.ts';
import type { HeldJob } from './held-job.ts';
import type { LaneDirectory } from './lanes.ts';
import type { CircuitMetrics } from './metrics.ts';
import type { RegisteredKind } from './registry.ts';
import type { WorkerEvents } from './worker-parts.ts';

export interface CircuitsHost {
  readonly session: Session;
  readonly statements: BoundStatements;
  readonly clock: Clock;
  readonly kinds: ReadonlyMap<string, RegisteredKind>;
  /** How long successes may wait to be written. */
  readonly heartbeatMs: number;
  readonly directory: LaneDirectory;
  /** Gives back the jobs of a kind that have not started. */
  giveBackKind(kind: string): void;
  /** There may be something to claim. */
  lookAround(): void;
  onChange(change: WorkerEvents['circuit'][0]): void;
  onError(name: string, error: unknown): void;
  onRecovered(name: string): void;
}

interface Known {
  facts: CircuitFacts;
  settings: CircuitSettings;
  takeBackTimer: (() => void) | undefined;
  /** Since the worker started. */
  readonly counts: { opened: number; probes: number };
}

interface Tally {
  attempts: number;
  failures: number;
  readonly probes: Map<number, { good: number; bad: number; unused: number }>;
}

const reportEveryMs = 1_000;
/** Failures of the same moment go together. */
const gatherMs = 20;
const restMs = 3_600_000;
const turnsMax = 50;

export class Circuits implements Service {
  readonly name = 'circuits';
  private readonly host: CircuitsHost;
  private readonly known = new Map<string, Known>();
  private tallies = new Map<string, Tally>();
  private readonly loop: Loop;
  /** What is so from the start is no change. */
  private loaded = false;
  /** What the database's clock was ahead of our monotonic one when it was read last. */
  private aheadMs = 0;
  private reportedAtMs = Number.NEGATIVE_INFINITY;
  private reportDueMs = Number.POSITIVE_INFINITY;
  private takeBackReport: (() => void) | undefined;

  constructor(host: CircuitsHost) {
    this.host = host;
    this.loop = new Loop({
      name: this.name,
      clock: host.clock,
      round: () => this.report(),
      onError: (name, error) => host.onError(name, error),
      onRecovered: (name) => host.onRecovered(name),
    });
  }

  /** Says what the code declares. Before the first `load`. */
  async declare(): Promise<void> {
    const declared: [string, CircuitOptions][] = [];
    for (const { kind, definition } of this.host.kinds.values()) {
      if (definition?.circuit === undefined) continue;
      declared.push([kind, definition.circuit === true ? {} : definition.circuit]);
    }
    if (declared.length === 0) return;
    await this.host.session.query(this.host.statements.declareCircuits, [
      textArray(declared.map(([kind]) => kind)),
      JSON.stringify(declared.map(([, options]) => options)),
    ]);
  }

  /** Reads the circuits of all kinds; as often as settings change. */
  async load(): Promise<void> {
    const rows = await this.host.session.query(this.host.statements.listCircuits);
    const seen = new Set<string>();
    for (const [text] of rows) {
      const facts = factsFrom(text);
      if (!this.host.kinds.has(facts.kind)) continue;
      seen.add(facts.kind);
      this.take(facts);
    }
    for (const [kind, { facts, takeBackTimer }] of this.known) {
      if (seen.has(kind)) continue;
      takeBackTimer?.();
      this.known.delete(kind);
      if (facts.circuit.state !== 'closed') this.release(kind);
    }
    this.loaded = true;
  }

  start(): void {
    this.loop.start();
  }

  /** Writes what is not written yet. */
  async stop(): Promise<void> {
    this.takeBackReport?.();
    for (const { takeBackTimer } of this.known.values()) takeBackTimer?.();
    await this.loop.stop();
    await this.report().catch(() => {});
  }

  /** Jobs were claimed: those of a kind whose circuit opened while they were on their way go back. */
  arrived(jobs: readonly HeldJob[]): void {
    if (this.known.size === 0) return;
    for (const kind of new Set(jobs.map((job) => job.kind))) {
      if (this.stateOf(kind) !== 'closed') this.hold(kind);
    }
  }

  /** For the metrics: the circuits of the kinds that this worker knows. */
  states(): CircuitMetrics[] {
    return [...this.known].map(([kind, { facts, counts }]) => ({
      kind,
      state: facts.circuit.state,
      ...counts,
    }));
  }

  /** Kinds of which probes may be taken now. */
  probing(): string[] {
    if (this.known.size === 0) return [];
    const nowMs = this.nowMs();
    return [...this.known].filter(([, { facts }]) => mayProbe(facts.circuit, nowMs)).map(([kind]) => kind);
  }

  /** Takes up to so many probes of a kind: how many there are, and of which round. */
  async takeProbes(kind: string, most: number): Promise<{ granted: number; round: number }> {
    let granted = 0;
    const circuit = await this.change(kind, (before, settings, nowMs) => {
      const taken = takeProbes(before, settings, most, nowMs);
      granted = taken.granted;
      return taken.circuit;
    });
    return { granted: circuit === undefined ? 0 : granted, round: circuit?.round ?? 0 };
  }

  /** Probes that found no job. */
  giveProbesBack(kind: string, round: number, unused: number): void {
    if (unused <= 0) return;
    this.probesOf(kind, round).unused += unused;
    this.reportWithin(0);
  }

  /** An attempt has ended, or a claimed job went back. Called for each. */
  observe(job: HeldJob, ending: Result['ending']): void {
    if (this.known.size === 0) return;
    const known = this.known.get(job.kind);
    if (known === undefined) return;
    const verdict = verdictOf(ending);
    if (job.probe !== undefined) {
      this.probesOf(job.kind, job.probe)[verdict] += 1;
      if (verdict !== 'unused') known.counts.probes += 1;
      this.reportWithin(gatherMs);
      return;
    }
    if (verdict === 'unused' || known.facts.circuit.state !== 'closed' || !known.settings.enabled) return;
    const tally = this.tallyOf(job.kind);
    tally.attempts += 1;
    if (verdict === 'bad') tally.failures += 1;
    if (verdict === 'bad')
      this.reportWithin(Math.max(gatherMs, this.reportedAtMs + reportEveryMs - this.monotonic()));
    else this.reportWithin(this.host.heartbeatMs);
  }

  private async report(): Promise<number> {
    this.takeBackReport?.();
    this.reportDueMs = Number.POSITIVE_INFINITY;
    this.reportedAtMs = this.monotonic();
    const { tallies } = this;
    this.tallies = new Map();
    for (const [kind, tally] of tallies) {
      try {
        await this.change(kind, (before, settings, nowMs) => {
          let circuit = countAttempts(before, settings, tally, nowMs);
          for (const [round, ended] of tally.probes)
            circuit = endProbes(circuit, settings, { round, ...ended }, nowMs);
          return circuit;
        });
        tallies.delete(kind);
      } catch (error) {
        this.putBack(tallies);
        throw error;
      }
    }
    return restMs;
  }

  /** What could not be written is reported with what came meanwhile. */
  private putBack(tallies: ReadonlyMap<string, Tally>): void {
    for (const [kind, { attempts, failures, probes }] of tallies) {
      const tally = this.tallyOf(kind);
      tally.attempts += attempts;
      tally.failures += failures;
      for (const [round, { good, bad, unused }] of probes) {
        const counts = this.probesOf(kind, round);
        counts.good += good;
        counts.bad += bad;
        counts.unused += unused;
      }
    }
  }

  /** Decides and writes, until nobody was before us. Undefined where the kind has no circuit any more. */
  private async change(
    kind: string,
    step: (circuit: Circuit, settings: CircuitSettings, nowMs: number) => Circuit,
  ): Promise<Circuit | undefined> {
    const { session, statements } = this.host;
    for (let turn = 0; turn < turnsMax; turn += 1) {
      const known = this.known.get(kind);
      if (known === undefined) return undefined;
      const { circuit: before, version } = known.facts;
      const circuit = step(before, known.settings, this.nowMs());
      if (circuit === before) return before;
      const [[answer = null] = []] = await session.query(statements.changeCircuit, [
        kind,
        version,
        JSON.stringify(circuit),
        isNews(before, circuit),
      ]);
      const changed = JSON.parse(answer ?? '{}') as { applied?: boolean; facts?: CircuitFacts | null };
      if (changed.facts == null) return undefined;
      this.take(factsFrom(changed.facts));
      if (changed.applied === true) return circuit;
    }
    throw new Error(`the circuit of '${kind}' was changed by others ${turnsMax} times in a row`);
  }

  /** Takes in what was read, unless something newer is known. */
  private take(facts: CircuitFacts): void {
    const { kind, circuit } = facts;
    this.aheadMs = facts.nowMs - this.monotonic();
    const before = this.known.get(kind);
    if (before !== undefined && before.facts.version > facts.version) return;
    before?.takeBackTimer?.();
    const counts = before?.counts ?? { opened: 0, probes: 0 };
    const known: Known = { facts, settings: settingsOf(facts), takeBackTimer: undefined, counts };
    this.known.set(kind, known);
    const from = before?.facts.circuit.state ?? 'closed';
    if (circuit.state !== 'closed') {
      if (from === 'closed') this.hold(kind);
      this.awaitProbes(known);
    } else if (from !== 'closed') this.release(kind);
    if (this.loaded && from !== circuit.state) {
      if (circuit.state === 'open') counts.opened += 1;
      const until =
        circuit.state === 'open' && circuit.untilMs !== undefined ? new Date(circuit.untilMs) : undefined;
      this.host.onChange({ kind, from, to: circuit.state, until, reason: circuit.reason });
    }
  }

  /** Wakes the claim when probes may be taken: now, or when the pause is over. */
  private awaitProbes(known: Known): void {
    const { circuit } = known.facts;
    if (mayProbe(circuit, this.nowMs())) {
      this.host.lookAround();
      return;
    }
    if (circuit.untilMs === undefined) return;
    const waitMs = Math.min(Math.max(circuit.untilMs - this.nowMs(), 1), restMs);
    known.takeBackTimer = this.host.clock.after(waitMs, () => this.awaitProbes(known));
  }

  private hold(kind: string): void {
    this.host.directory.hold(kind);
    this.host.giveBackKind(kind);
  }

  private release(kind: string): void {
    this.host.directory.release(kind);
    this.host.lookAround();
  }

  private reportWithin(ms: number): void {
    const dueMs = this.monotonic() + ms;
    if (dueMs >= this.reportDueMs) return;
    this.reportDueMs = dueMs;
    this.takeBackReport?.();
    this.takeBackReport = this.host.clock.after(ms, () => this.loop.wake());
  }

  private tallyOf(kind: string): Tally {
    let tally = this.tallies.get(kind);
    if (tally === undefined) {
      tally = { attempts: 0, failures: 0, probes: new Map() };
      this.tallies.set(kind, tally);
    }
    return tally;
  }

  private probesOf(kind: string, round: number): { good: number; bad: number; unused: number } {
    const { probes } = this.tallyOf(kind);
    let counts = probes.get(round);
    if (counts === undefined) {
      counts = { good: 0, bad: 0, unused: 0 };
      probes.set(round, counts);
    }
    return counts;
  }

  private stateOf(kind: string): Circuit['state'] {
    return this.known.get(kind)?.facts.circuit.state ?? 'closed';
  }

  private monotonic(): number {
    return this.host.clock.monotonic();
  }

  /** The clock of the database, as far as it is known. */
  private nowMs(): number {
    return this.monotonic() + this.aheadMs;
  }
}

/**
 * What an ending says of what the kind depends on. Failures that may be tried again are bad. One that is the job's
 * own (not retryable) is good: there was an answer. What was put off, cancelled or given back says nothing.
 */
function verdictOf(ending: Result['ending']): 'good' | 'bad' | 'unused' {
  switch (ending.type) {
    case 'succeeded':
      return 'good';
    case 'dead':
      return ending.reason === 'attempts' ? 'bad' : 'good';
    case 'later':
      return ending.reason === 'r' ? 'bad' : 'unused';
    default:
      return 'unused';
  }
}
