/** How circuits come from the database, and what callers see of them. Pure. */

import {
  type Circuit,
  type CircuitOptions,
  type CircuitSettings,
  type CircuitState,
  circuitSettings,
  windowOf,
} from '../domain/circuit.ts';

/** As `circuit_facts` writes it. */
export interface CircuitFacts {
  readonly kind: string;
  readonly declared: CircuitOptions | null;
  readonly settings: CircuitOptions | null;
  readonly version: number;
  /** What the clock of the database said when this was read. */
  readonly nowMs: number;
  readonly circuit: Circuit;
}

/** The circuit breaker of a kind, as people see it. */
export interface CircuitView {
  readonly kind: string;
  readonly state: CircuitState;
  readonly since: Date;
  /** Open: when probes begin; undefined: when somebody closes it. */
  readonly until: Date | undefined;
  /** Whether somebody opened it. */
  readonly byHand: boolean;
  readonly reason: string | undefined;
  /** How often it opened since it was closed last. */
  readonly openings: number;
  /** Of the window up to now, as far as workers have reported; rounded. */
  readonly attempts: number;
  readonly failures: number;
  /** Half-open: jobs that may still be tried, that are being tried, and that succeeded. */
  readonly probes: { readonly left: number; readonly running: number; readonly succeeded: number };
  /** What holds: what was set goes before what the code declares, and that before the defaults. */
  readonly settings: CircuitSettings;
  /** Whether attempts are counted; otherwise it opens by hand only. */
  readonly automatic: boolean;
}

export function factsFrom(value: unknown): CircuitFacts {
  const facts = (typeof value === 'string' ? JSON.parse(value) : value) as CircuitFacts;
  const { untilMs, reason } = facts.circuit;
  return { ...facts, circuit: { ...facts.circuit, untilMs, reason } };
}

/** The settings that hold for a circuit. One that nobody configured opens by hand only. */
export function settingsOf({ declared, settings }: CircuitFacts): CircuitSettings {
  const nobody = declared === null && settings === null;
  return circuitSettings(
    settings ?? undefined,
    declared ?? undefined,
    nobody ? { enabled: false } : undefined,
  );
}

export function viewOf(facts: CircuitFacts): CircuitView {
  const { kind, circuit, nowMs } = facts;
  const settings = settingsOf(facts);
  const { attempts, failures } = windowOf(circuit, settings, nowMs);
  return {
    kind,
    state: circuit.state,
    since: new Date(circuit.sinceMs),
    until: circuit.state === 'open' && circuit.untilMs !== undefined ? new Date(circuit.untilMs) : undefined,
    byHand: circuit.byHand,
    reason: circuit.reason,
    openings: circuit.openings,
    attempts: Math.round(attempts),
    failures: Math.round(failures),
    probes: { left: circuit.probesLeft, running: circuit.probesOut, succeeded: circuit.probesGood },
    settings,
    automatic: settings.enabled,
  };
}

/** What workers must hear of: everything but counts. */
export function isNews(before: Circuit, after: Circuit): boolean {
  return before.state !== after.state || before.round !== after.round || before.probesLeft < after.probesLeft;
}
