/**
 * A run: opens the database, mans the places, waits until work flows, makes the faults, undoes them, waits until
 * everything has ended, gathers the evidence and judges it.
 */
import { appendFileSync, chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Lineshaft, silentLog } from '@lineshaft/core';
import { pausePlace } from './faults/workers.ts';
import { type Lab, Scene, type Stand, type Step } from './lab.ts';
import { readLedgers } from './ledger/reader.ts';
import { monotonicMs, pause } from './monotonic.ts';
import { randomOf } from './random.ts';
import { countUnfinished, type DatabaseEvidence, installAudit, readDatabase } from './site/audit.ts';
import { Crew, type Place } from './site/crew.ts';
import { accountsOf } from './verdict/account.ts';
import type { Evidence, FaultRecord } from './verdict/evidence.ts';
import { judge, type Verdict } from './verdict/judge.ts';
import { workloads } from './workloads/index.ts';

export interface RunOptions {
  readonly seconds: number;
  readonly seed: number;
  readonly plant: 'unfenced' | undefined;
  /** Aborted when people have ended the run: then nobody wants its ledgers. */
  readonly signal: AbortSignal;
}

export interface Outcome {
  readonly verdict: Verdict;
  readonly faults: number;
  /** Enqueued in each second in which there was a database, on average. */
  readonly perSecond: number;
  /** Ledgers and logs, for who wants to look. */
  readonly folder: string;
}

const queue = 'lab';
const leaseMs = 3_000;
const workers = 3;
const callers = 3;
const perSecond = 180;
const startTimeoutMs = 60_000;
/** How long callers may take to learn of each call whether it arrived. */
const settleTimeoutMs = 60_000;
/** How long it may take without one job less before the rest is given up for lost; a planted fault leaves some. */
const drainTimeoutMs = 30_000;
const plantedDrainTimeoutMs = 6_000;

export async function run(
  lab: Lab,
  options: RunOptions,
  stack: AsyncDisposableStack,
  say: (line: string) => void,
): Promise<Outcome> {
  const folder = makeFolder();
  stack.defer(() => {
    if (options.signal.aborted) removeFolder(folder);
  });
  if (lab.run !== undefined) return await lab.run(options, folder, stack, say);
  const places = [...named('worker', workers), ...named('caller', callers), 'planted'];
  const stand = await lab.open(stack, options.seed, places);
  say(`database: ${stand.about}; ledgers and logs: ${folder}`);
  await prepare(stand);
  const { seed } = options;
  const crew = new Crew({ folder, seed, queue, leaseMs, workers, callers, perSecond, urlOf: stand.urlOf });
  stack.defer(() => crew.kill());
  const planted = options.plant === undefined ? undefined : crew.plantUnfenced();
  const scene = new Scene(crew, say);
  await until('all workers claim and callers are answered', startTimeoutMs, () => crew.ready);
  const ackedBefore = crew.acked;
  const beganMs = monotonicMs();
  const steps = lab.plan(randomOf(seed, lab.name), options.seconds, stand);
  await faultPhase(planted === undefined ? steps : [...steps, ...plantSteps(planted, options.seconds)], {
    scene,
    stand,
    seconds: options.seconds,
    say,
  });
  const upSeconds = (monotonicMs() - beganMs - awayMs(scene.faults)) / 1_000;
  const rate = (crew.acked - ackedBefore) / upSeconds;
  say('the faults are over: callers finish, what waits is worked off');
  await crew.finishCalls(settleTimeoutMs);
  await pauseSchedules(stand);
  say('callers have finished');
  await drain(stand.url, options.plant === undefined ? drainTimeoutMs : plantedDrainTimeoutMs, say);
  say('all has ended: workers stop');
  await crew.stopWorkers();
  say('the verdict is made');
  const ledger = readLedgers(folder);
  const database = await readDatabase(stand.url);
  const verdict = judge(gather(ledger, database, scene.faults, crew.crashes));
  appendFileSync(
    join(folder, 'verdict.json'),
    `${JSON.stringify({ seed, faults: scene.faults, verdict }, undefined, 1)}\n`,
  );
  return { verdict, faults: scene.count, perSecond: rate, folder };
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'lineshaft-lab-'));
  chmodSync(folder, 0o755);
  return folder;
}

function named(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, n) => `${prefix}${n + 1}`);
}

async function prepare(stand: Stand): Promise<void> {
  await using lineshaft = new Lineshaft({ databaseUrl: stand.url, log: silentLog });
  await lineshaft.migrate();
  const retention = { succeededMs: 86_400_000, failedMs: 86_400_000, cancelledMs: 86_400_000 };
  await lineshaft.declare({ name: queue, concurrency: 40, retention, pollingIntervalMs: 500 });
  for (const { limits = [], schedules = [] } of workloads) {
    for (const limit of limits) await lineshaft.declareLimit(limit);
    for (const schedule of schedules) await lineshaft.schedule({ ...schedule, options: { queue } });
  }
  await installAudit(stand.url);
}

/** What was due so far is still made; from now on nothing comes due. */
async function pauseSchedules(stand: Stand): Promise<void> {
  await using lineshaft = new Lineshaft({ databaseUrl: stand.url, log: silentLog });
  for (const { schedules = [] } of workloads) {
    for (const { name } of schedules) await lineshaft.pauseSchedule(name);
  }
}

/** A worker whose writes are not fenced is stopped again and again, so that its results come too late. */
function plantSteps(planted: Place, seconds: number): Step[] {
  const steps: Step[] = [];
  for (let atMs = 1_500; atMs < seconds * 1_000; atMs += 6_000) {
    steps.push({ atMs, act: (scene) => pausePlace(scene, planted, 1.4 * leaseMs) });
  }
  return steps;
}

/** Makes each fault at its time, and resolves when the time is over and all of them are undone. */
async function faultPhase(
  steps: readonly Step[],
  {
    scene,
    stand,
    seconds,
    say,
  }: { scene: Scene; stand: Stand; seconds: number; say: (line: string) => void },
): Promise<void> {
  const beganMs = monotonicMs();
  const telling = setInterval(() => tell(scene, stand, say), 5_000);
  try {
    const phase = pause(seconds * 1_000);
    await Promise.all(
      steps.map(async ({ atMs, act }) => {
        await pause(Math.max(0, beganMs + atMs - monotonicMs()));
        await act(scene);
      }),
    );
    await phase;
  } finally {
    clearInterval(telling);
  }
}

function tell(scene: Scene, stand: Stand, say: (line: string) => void): void {
  const counts = `${scene.count} faults, ${scene.crew.acked} acknowledged`;
  countUnfinished(stand.url).then(
    (waiting) => say(`${counts}, ${waiting} not finished`),
    () => say(`${counts}, the database is away`),
  );
}

/** How long there was no database for anybody; what overlaps counts once. */
function awayMs(faults: readonly FaultRecord[]): number {
  let countedToMs = 0;
  let sumMs = 0;
  const away = faults.filter((fault) => fault.target === undefined && fault.untilMs !== Infinity);
  for (const { fromMs, untilMs } of away.toSorted((one, other) => one.fromMs - other.fromMs)) {
    sumMs += Math.max(0, untilMs - Math.max(fromMs, countedToMs));
    countedToMs = Math.max(countedToMs, untilMs);
  }
  return sumMs;
}

/** Waits until no job waits or runs, as long as there are fewer and fewer. */
async function drain(url: string, timeoutMs: number, say: (line: string) => void): Promise<void> {
  let least = Infinity;
  let leastAtMs = monotonicMs();
  for (;;) {
    const left = await countUnfinished(url).catch(() => Infinity);
    if (left === 0) return;
    if (left < least) {
      least = left;
      leastAtMs = monotonicMs();
    } else if (monotonicMs() - leastAtMs > timeoutMs) {
      say(`${left} jobs do not end`);
      return;
    }
    await pause(200);
  }
}

function gather(
  ledger: ReturnType<typeof readLedgers>,
  database: DatabaseEvidence,
  faults: readonly FaultRecord[],
  crashes: readonly string[],
): Evidence {
  const stalls = ledger.flatMap((entry): FaultRecord[] => {
    if (entry.e !== 'stall') return [];
    return [{ kind: 'process stalled', target: entry.by, fromMs: entry.at - entry.ms, untilMs: entry.at }];
  });
  return {
    ledger,
    accounts: accountsOf(ledger, database.finals),
    faults: [...faults, ...stalls],
    workerRows: database.workerRows,
    holds: database.holds,
    unfinished: database.unfinished,
    crashes,
  };
}

async function until(what: string, timeoutMs: number, look: () => boolean): Promise<void> {
  const endMs = monotonicMs() + timeoutMs;
  while (!look()) {
    if (monotonicMs() > endMs) throw new Error(`not within ${timeoutMs / 1_000} s: ${what}`);
    await pause(50);
  }
}
