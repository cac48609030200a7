/** Puts together what changes runs in this process: what is in memory, what decides, what writes, what goes on by itself. */

import type { Clock } from '../domain/clock.ts';
import type { DecideLimits, StepJob } from '../domain/workflow/decision.ts';
import type { Log } from '../log.ts';
import type { Notifications } from '../queue/notifications.ts';
import type { BoundStatements } from '../store/statements.ts';
import { Advancer } from './advancer.ts';
import { asksForTasks } from './asks-for-tasks.ts';
import type { ClaimsBeside } from './claim-beside.ts';
import { Contexts, type DomainOf, defaultDecideLimits } from './decide-context.ts';
import type { DefinitionBook } from './definition-book.ts';
import { DefinitionCache } from './definition-cache.ts';
import { Evaluator } from './evaluator.ts';
import type { HandOver } from './hand-over.ts';
import { OpenSteps } from './open-steps.ts';
import { polledMeanwhile } from './polled-meanwhile.ts';
import type { RunView } from './port.ts';
import type { Rehearsal } from './port-books.ts';
import { rehearse } from './rehearse.ts';
import { RunCache } from './run-cache.ts';
import type { RunKeys } from './run-keys.ts';
import { RunStarter } from './run-starter.ts';
import type { RunStore } from './run-store.ts';
import { RunWaiters } from './run-waiters.ts';
import { Runs, type RunsParts } from './runs.ts';

export interface RunMachineryParts extends ClaimsBeside {
  readonly store: RunStore;
  readonly statements: BoundStatements;
  readonly keys: RunKeys;
  readonly handOver: HandOver;
  readonly definitions: DefinitionBook;
  readonly notifications: Notifications;
  readonly clock: Clock;
  readonly log: Log;
  /** Of this process: a UUID. */
  readonly id: string;
  readonly newId: () => string;
  readonly domainOf: DomainOf;
  /** Jobs of steps that are written: somebody may wait for them. */
  readonly onJobs: (jobs: Iterable<StepJob>) => void;
  /** Brings up to date what `domainOf` knows. */
  readonly freshenDomains: () => Promise<void>;
  /** Names that `${NAME}` may show of the process environment, with their values. Default none. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly limits?: DecideLimits;
}

export interface RunMachinery {
  readonly runs: Runs;
  readonly cache: RunCache;
  readonly advancer: Advancer;
  readonly waiters: RunWaiters;
  readonly definitionCache: DefinitionCache;
  readonly evaluator: Evaluator;
  /** Runs a workflow in memory. */
  readonly rehearse: (rehearsal: Rehearsal) => Promise<RunView>;
  /** Ends what is asked for, then all that runs beside. */
  close(): Promise<void>;
}

/** The same trouble is logged once in so long. */
const troubleMs = 10_000;

export function assembleRuns(parts: RunMachineryParts): RunMachinery {
  const { clock, store } = parts;
  const evaluator = new Evaluator();
  const definitionCache = new DefinitionCache({ store, book: parts.definitions });
  const contexts = new Contexts({
    store,
    clock,
    newId: parts.newId,
    random: Math.random,
    environment: parts.environment ?? {},
    limits: parts.limits ?? defaultDecideLimits,
    domainOf: parts.domainOf,
    taskOf: (name) => definitionCache.taskOf(name),
  });
  const waiters = new RunWaiters(parts);
  const cache = new RunCache();
  const openSteps = new OpenSteps({ store, inputsAtHand: (wanted) => runs.inputsAtHand(wanted) });
  const onTrouble = troubles(parts.log, clock);
  const advancer: Advancer = new Advancer({
    runs: () => runs,
    store,
    openSteps,
    evaluator,
    handOver: parts.handOver,
    clock,
    now: () => contexts.now(),
    onTrouble,
  });
  const starter = new RunStarter({ definitions: definitionCache, keys: parts.keys });
  const prepare: RunsParts['prepare'] = async (states, starting) => {
    const domains = [
      ...states.map(({ run }) => run.taskToDomain),
      ...starting.map((each) => each.taskToDomain),
    ];
    if (domains.some((each) => hasDomains(each ?? {}))) await parts.freshenDomains();
    if (!states.some(({ run }) => asksForTasks(run.definition))) return;
    await definitionCache.refresh();
    await definitionCache.readTasks();
  };
  const runs: Runs = new Runs({
    store,
    cache,
    openSteps,
    contexts,
    starter,
    newId: parts.newId,
    prepare,
    unheard: (states, now) => polledMeanwhile(parts, states, now),
    evaluate: (runId, evaluations) => advancer.evaluate(runId, evaluations),
    wake: (runIds) => advancer.look(runIds),
    onLines: () => advancer.lookAround(),
    onChanged(changed, wakeAt) {
      waiters.changed(changed.map(({ id }) => id));
      if (wakeAt !== undefined) advancer.expect(wakeAt);
    },
    onJobs: parts.onJobs,
    claimBeside: (steps) => parts.claimBeside(steps),
    onTrouble,
    onRefused: (runId, error) => advancer.giveUp(runId, error),
  });
  return {
    runs,
    cache,
    advancer,
    waiters,
    definitionCache,
    evaluator,
    rehearse: (rehearsal) =>
      rehearse({ starter, evaluator, prepare, context: () => contexts.next() }, rehearsal),
    async close() {
      advancer.close();
      await waiters.close();
      await runs.settled();
      await evaluator.close();
    },
  };
}

function hasDomains(taskToDomain: Readonly<Record<string, string>>): boolean {
  for (const _task in taskToDomain) return true;
  return false;
}

function troubles(log: Log, clock: Clock): (what: string, error: unknown) => void {
  const saidAtMs = new Map<string, number>();
  return (what, error) => {
    const message = error instanceof Error ? error.message : String(error);
    const key = `${what} ${message}`.slice(0, 200);
    const nowMs = clock.monotonic();
    if (nowMs < (saidAtMs.get(key) ?? Number.NEGATIVE_INFINITY) + troubleMs) return;
    if (saidAtMs.size > 1_000) saidAtMs.clear();
    saidAtMs.set(key, nowMs);
    log.warn(`a run could not go on (${what}): ${message}`);
  };
}
