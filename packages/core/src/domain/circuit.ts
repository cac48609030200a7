/**
 * Circuit breakers: a kind whose attempts mostly fail is left alone for a while. Pure: a circuit and what happened
 * go in, the next circuit comes out; the same object where nothing changes. All times in ms since 1970 by the clock
 * of the database.
 *
 * ```
 *           too many attempts of the window failed
 *  closed ─────────────────────────────────────────▶ open ──the pause is over──▶ half-open
 *    ▲                                                ▲                            │   │
 *    │                                                └─────── a probe failed ─────┘   │
 *    └──────────────────────────── all probes succeeded ───────────────────────────────┘
 * ```
 *
 * After M. Nygard, "Release It!", 2007; the pause grows with each opening that follows another.
 */

import { invalidOption } from './errors.ts';
import { anyNumber, fieldsOf, refuseUnknown, wholeNumber } from './fields.ts';

/** When a kind is left alone, and how it is tried again. What is left out has its default. */
export interface CircuitOptions {
  /** False: attempts are not counted; the circuit opens by hand only. Default true. */
  readonly enabled?: boolean;
  /** The share of failed attempts at which it opens, above 0 to 1. Default 0.5. */
  readonly failureRate?: number;
  /** Fewer attempts in the window than this say nothing; 1 to 1,000,000. Default 20. */
  readonly minAttempts?: number;
  /** The time over which attempts are counted, 1 s to 1 day. Default 1 minute. */
  readonly windowMs?: number;
  /** How long it is open the first time, 1 ms to 1 day. Default 30 s. */
  readonly pauseMs?: number;
  /** Each further opening without a success lasts so many times longer, 1 to 10. Default 2. */
  readonly pauseFactor?: number;
  /** No pause is longer; at least `pauseMs`, at most 1 day. Default 15 minutes, or `pauseMs` if that is longer. */
  readonly pauseLimitMs?: number;
  /** So many jobs are tried before it closes, 1 to 1,000; all must succeed. Default 3. */
  readonly probes?: number;
}

export type CircuitSettings = Required<CircuitOptions>;
export type CircuitState = 'closed' | 'open' | 'half-open';

export const defaultCircuit: CircuitSettings = {
  enabled: true,
  failureRate: 0.5,
  minAttempts: 20,
  windowMs: 60_000,
  pauseMs: 30_000,
  pauseFactor: 2,
  pauseLimitMs: 900_000,
  probes: 3,
};

export interface Circuit {
  readonly state: CircuitState;
  /** When it came into this state. */
  readonly sinceMs: number;
  /**
   * Open: when probes begin; undefined: when somebody closes it. Half-open: when probes that were not heard of are
   * handed out again.
   */
  readonly untilMs: number | undefined;
  readonly byHand: boolean;
  readonly reason: string | undefined;
  /** How often it opened since it was closed last. */
  readonly openings: number;
  /** Grows with each opening; probes of another round say nothing. */
  readonly round: number;
  /** Attempts of the current window, and of the one before it. */
  readonly windowStartMs: number;
  readonly attempts: number;
  readonly failures: number;
  readonly attemptsBefore: number;
  readonly failuresBefore: number;
  /** Half-open: probes to hand out, handed out and not heard of, and succeeded. */
  readonly probesLeft: number;
  readonly probesOut: number;
  readonly probesGood: number;
}

const noCounts = { attempts: 0, failures: 0, attemptsBefore: 0, failuresBefore: 0 } as const;
const noProbes = { probesLeft: 0, probesOut: 0, probesGood: 0 } as const;

export function closedCircuit(nowMs: number, round = 0): Circuit {
  return {
    ...{ state: 'closed', sinceMs: nowMs, untilMs: undefined, byHand: false, reason: undefined },
    ...{ openings: 0, round, windowStartMs: nowMs },
    ...noCounts,
    ...noProbes,
  };
}

/** What the window holds: the current one, and of the one before the share that still lies in it. */
export function windowOf(
  circuit: Circuit,
  settings: CircuitSettings,
  nowMs: number,
): { attempts: number; failures: number } {
  const { windowStartMs, attempts, failures, attemptsBefore, failuresBefore } = rolled(
    circuit,
    settings,
    nowMs,
  );
  const share = Math.min(1, Math.max(0, 1 - (nowMs - windowStartMs) / settings.windowMs));
  return { attempts: attempts + share * attemptsBefore, failures: failures + share * failuresBefore };
}

/** Attempts have ended. It opens where too many of the window failed; an open or half-open circuit counts nothing. */
export function countAttempts(
  circuit: Circuit,
  settings: CircuitSettings,
  ended: { readonly attempts: number; readonly failures: number },
  nowMs: number,
): Circuit {
  if (circuit.state !== 'closed' || !settings.enabled || ended.attempts === 0) return circuit;
  const current = rolled(circuit, settings, nowMs);
  const next = {
    ...current,
    attempts: current.attempts + ended.attempts,
    failures: current.failures + ended.failures,
  };
  if (ended.failures === 0) return next;
  const { attempts, failures } = windowOf(next, settings, nowMs);
  if (attempts < settings.minAttempts || failures < settings.failureRate * attempts) return next;
  return opened(next, settings, nowMs, `${Math.round(failures)} of ${Math.round(attempts)} attempts failed`);
}

/**
 * Hands out probes: as many as are wanted and left. The first who asks after the pause makes it half-open.
 * Probes that nobody was heard of for the length of a pause (their worker died, or they run long) are handed
 * out again.
 */
export function takeProbes(
  circuit: Circuit,
  settings: CircuitSettings,
  most: number,
  nowMs: number,
): { readonly circuit: Circuit; readonly granted: number } {
  if (most <= 0 || !mayProbe(circuit, nowMs)) return { circuit, granted: 0 };
  const { probes } = settings;
  let next = circuit;
  if (next.state === 'open') {
    next = { ...next, state: 'half-open', sinceMs: nowMs, byHand: false, ...noProbes, probesLeft: probes };
  } else if (next.probesLeft === 0) {
    next = { ...next, probesLeft: Math.max(1, probes - next.probesGood), probesOut: 0 };
  }
  const granted = Math.min(most, next.probesLeft);
  return {
    circuit: {
      ...next,
      probesLeft: next.probesLeft - granted,
      probesOut: next.probesOut + granted,
      untilMs: nowMs + pauseOf({ ...next, openings: Math.max(1, next.openings) }, settings),
    },
    granted,
  };
}

/** Whether it would hand out a probe now. */
export function mayProbe(circuit: Circuit, nowMs: number): boolean {
  if (circuit.state === 'closed') return false;
  if (circuit.state === 'half-open' && circuit.probesLeft > 0) return true;
  return circuit.untilMs !== undefined && nowMs >= circuit.untilMs;
}

/** Probes have ended: well, badly, or without having been tried. */
export function endProbes(
  circuit: Circuit,
  settings: CircuitSettings,
  ended: { readonly round: number; readonly good: number; readonly bad: number; readonly unused: number },
  nowMs: number,
): Circuit {
  const { round, good, bad, unused } = ended;
  if (circuit.state !== 'half-open' || round !== circuit.round || good + bad + unused === 0) return circuit;
  if (bad > 0) return opened(circuit, settings, nowMs, 'a probe failed');
  const probesGood = circuit.probesGood + good;
  if (probesGood >= settings.probes) return closedCircuit(nowMs, circuit.round);
  const probesOut = Math.max(0, circuit.probesOut - good - unused);
  const room = Math.max(0, settings.probes - probesGood - probesOut);
  return { ...circuit, probesGood, probesOut, probesLeft: Math.min(circuit.probesLeft + unused, room) };
}

/** Somebody opens it: until a time, when probes begin, or until somebody closes it. */
export function openByHand(
  circuit: Circuit,
  untilMs: number | undefined,
  reason: string,
  nowMs: number,
): Circuit {
  const { openings, round } = circuit;
  return { ...closedCircuit(nowMs, round + 1), state: 'open', untilMs, byHand: true, reason, openings };
}

function opened(circuit: Circuit, settings: CircuitSettings, nowMs: number, reason: string): Circuit {
  const openings = circuit.openings + 1;
  const next: Circuit = { ...closedCircuit(nowMs, circuit.round + 1), state: 'open', openings, reason };
  return { ...next, untilMs: nowMs + pauseOf(next, settings) };
}

function pauseOf({ openings }: Circuit, { pauseMs, pauseFactor, pauseLimitMs }: CircuitSettings): number {
  return Math.round(Math.min(pauseMs * pauseFactor ** Math.min(openings - 1, 100), pauseLimitMs));
}

/** The same with its windows moved to where now is. */
function rolled(circuit: Circuit, { windowMs }: CircuitSettings, nowMs: number): Circuit {
  const passed = Math.floor((nowMs - circuit.windowStartMs) / windowMs);
  if (passed < 1) return circuit;
  if (passed > 1) return { ...circuit, ...noCounts, windowStartMs: nowMs };
  return {
    ...circuit,
    windowStartMs: circuit.windowStartMs + windowMs,
    attempts: 0,
    failures: 0,
    attemptsBefore: circuit.attempts,
    failuresBefore: circuit.failures,
  };
}

const dayMs = 86_400_000;

const optionChecks = {
  enabled(value: unknown, field: string): boolean {
    if (typeof value === 'boolean') return value;
    throw invalidOption(field, value, 'true or false');
  },
  failureRate(value: unknown, field: string): number {
    if (value === 0) throw invalidOption(field, value, 'a number above 0, to 1');
    return anyNumber(value, field, 0, 1);
  },
  minAttempts: (value: unknown, field: string) => wholeNumber(value, field, 1, 1_000_000),
  windowMs: (value: unknown, field: string) => wholeNumber(value, field, 1_000, dayMs),
  pauseMs: (value: unknown, field: string) => wholeNumber(value, field, 1, dayMs),
  pauseFactor: (value: unknown, field: string) => anyNumber(value, field, 1, 10),
  pauseLimitMs: (value: unknown, field: string) => wholeNumber(value, field, 1, dayMs),
  probes: (value: unknown, field: string) => wholeNumber(value, field, 1, 1_000),
} satisfies { [Name in keyof CircuitOptions]-?: (value: unknown, field: string) => CircuitSettings[Name] };

/**
 * Options as the caller gave them, checked; `true` stands for all defaults.
 *
 * @throws OPTION_INVALID with field, value and range; also a `pauseLimitMs` below `pauseMs`; OPTION_UNKNOWN.
 */
export function validateCircuit(value: unknown, field = 'circuit'): CircuitOptions {
  if (value === true) return {};
  const fields = fieldsOf(value, field);
  refuseUnknown(fields, Object.keys(optionChecks), `${field}.`);
  const checked: Record<string, unknown> = {};
  for (const [name, check] of Object.entries(optionChecks)) {
    if (fields[name] !== undefined) checked[name] = check(fields[name], `${field}.${name}`);
  }
  const { pauseMs = defaultCircuit.pauseMs, pauseLimitMs } = checked as CircuitOptions;
  if (pauseLimitMs !== undefined && pauseLimitMs < pauseMs) {
    throw invalidOption(`${field}.pauseLimitMs`, pauseLimitMs, `at least pauseMs (${pauseMs})`);
  }
  return checked;
}

/** The settings that hold: what was set as data goes before what the code declares. */
export function circuitSettings(...later: readonly (CircuitOptions | undefined)[]): CircuitSettings {
  const settings = Object.assign({}, defaultCircuit, ...later.toReversed()) as CircuitSettings;
  return { ...settings, pauseLimitMs: Math.max(settings.pauseLimitMs, settings.pauseMs) };
}
