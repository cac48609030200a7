/**
 * A run of the lab `workflows`: callers start runs, workers do their steps, and both are killed at random moments, so that
 * processes die at every border between a step and the next. In the end every run must have ended, and as it should.
 */
import { join } from 'node:path';
import { Lineshaft, silentLog } from '@lineshaft/core';
import pg from 'pg';
import { monotonicMs, pause } from '../monotonic.ts';
import { type Random, randomOf } from '../random.ts';
import type { Outcome, RunOptions } from '../run.ts';
import { Child } from '../site/child.ts';
import { Place } from '../site/crew.ts';
import { openServerStand } from '../site/stands.ts';
import type { FaultRecord } from '../verdict/evidence.ts';
import { type FinalRun, type FinalStep, judgeRuns } from './judge.ts';
import { readRunLedgers } from './ledger.ts';
import { shapes } from './shapes.ts';

const leaseMs = 2_000;
const workers = 3;
const callers = 2;
const perSecond = 40;
const startTimeoutMs = 60_000;
/** How long it may take without one run less before the rest is called stuck. */
const drainTimeoutMs = 30_000;

export async function runWorkflows(
  options: RunOptions,
  folder: string,
  stack: AsyncDisposableStack,
  say: (line: string) => void,
): Promise<Outcome> {
  const stand = await openServerStand(stack, options.seed);
  say(`database: ${stand.about}; ledgers and logs: ${folder}`);
  await register(stand.url);
  const crew = new RunCrew({ folder, seed: options.seed, databaseUrl: stand.url });
  stack.defer(() => crew.kill());
  await until('workers run and starts are answered', () => crew.ready);
  const ackedBefore = crew.acked;
  const faults = await killForAWhile(crew, options, say);
  const rate = (crew.acked - ackedBefore) / options.seconds;
  say('the faults are over: callers finish, what runs is worked off');
  await crew.finishCallers();
  const client = new pg.Client({ connectionString: stand.url });
  await client.connect();
  try {
    await drain(client, say);
    await crew.stopWorkers();
    const verdict = judgeRuns({
      ledger: readRunLedgers(folder),
      runs: (await client.query<FinalRun>(finalRuns)).rows,
      steps: (await client.query<FinalStep>(finalSteps)).rows,
      leftOver: (await client.query<{ what: string }>(leftOver)).rows.map(({ what }) => what),
      faults,
      crashes: crew.crashes,
      leaseMs,
    });
    return { verdict, faults: faults.length, perSecond: rate, folder };
  } finally {
    await client.end();
  }
}

const finalRuns = `
  select r.id, r.status, d.output, r.ended_at is not null as ended
  from lineshaft.run r join lineshaft.run_data d on d.run_id = r.id`;
const finalSteps = `
  select s.id, s.run_id as run, s.ref, s.type, s.status from lineshaft.step s where s.name = 'lab.step'`;
const leftOver = `
  select format('job %s is left', j.id) as what from lineshaft.job j
  union all
  select format('mark %s of run %s is left', m.id, m.run_id) from lineshaft.mark m`;

async function register(url: string): Promise<void> {
  await using lineshaft = new Lineshaft({ databaseUrl: url, log: silentLog });
  await lineshaft.migrate();
  for (const { definition } of shapes) await lineshaft.workflows.putWorkflow(definition, { overwrite: true });
}

/** The first within a second, then one every quarter of a second to second and a half; three of four are of workers. */
async function killForAWhile(
  crew: RunCrew,
  { seconds, seed }: RunOptions,
  say: (line: string) => void,
): Promise<FaultRecord[]> {
  const random: Random = randomOf(seed, 'workflows');
  const faults: FaultRecord[] = [];
  const endMs = monotonicMs() + seconds * 1_000;
  while (monotonicMs() < endMs) {
    await pause(Math.min(random.whole(250, 1_500), Math.max(endMs - monotonicMs(), 0)));
    const place = random.next() < 0.75 ? random.pick(crew.workers) : random.pick(crew.callers);
    const fromMs = monotonicMs();
    const target = await place.kill();
    faults.push({ kind: 'worker killed', target, fromMs, untilMs: Infinity });
    if (faults.length % 10 === 0) say(`${faults.length} kills, ${crew.acked} runs acknowledged`);
  }
  return faults;
}

class RunCrew {
  readonly workers: readonly Place[];
  readonly callers: readonly Place[];
  readonly crashes: string[] = [];
  private readonly settings: { readonly folder: string; readonly seed: number; readonly databaseUrl: string };
  private readonly progress = new Map<string, number>();
  private workersReady = 0;

  constructor(settings: { readonly folder: string; readonly seed: number; readonly databaseUrl: string }) {
    this.settings = settings;
    this.workers = this.places('worker', workers, 'run-worker.ts', () => {
      this.workersReady += 1;
    });
    this.callers = this.places('caller', callers, 'run-caller.ts', (name, message) => {
      this.progress.set(name, (message as { acked: number }).acked);
    });
  }

  get acked(): number {
    return [...this.progress.values()].reduce((sum, acked) => sum + acked, 0);
  }

  get ready(): boolean {
    return this.workersReady >= workers && this.acked > 0;
  }

  async finishCallers(): Promise<void> {
    await Promise.all(
      this.callers.map(async ({ current }) => {
        current.expected = true;
        current.tell({ command: 'finish' });
        await Promise.race([current.ended, pause(30_000).then(() => current.kill())]);
      }),
    );
  }

  async stopWorkers(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.close('SIGTERM', 20_000)));
  }

  async kill(): Promise<void> {
    await Promise.all([...this.workers, ...this.callers].map((place) => place.close('SIGKILL', 5_000)));
  }

  private places(
    prefix: string,
    count: number,
    program: string,
    onMessage: (name: string, message: unknown) => void,
  ): Place[] {
    const start = (name: string): Child => {
      const { folder } = this.settings;
      const settings = { ...this.settings, name, leaseMs, perSecond: perSecond / callers };
      const child = new Child(program, settings, join(folder, `${name.split('.')[0]}.log`));
      child.onMessage((message) => onMessage(name, message));
      child.ended.then(
        (how) => {
          if (!child.expected) this.crashes.push(`${name} ended by itself: ${how}`);
        },
        () => {},
      );
      return child;
    };
    return Array.from({ length: count }, (_, n) => new Place(`${prefix}${n + 1}`, start));
  }
}

/** Waits until no run is left, as long as there are fewer and fewer steps to do. */
async function drain(client: pg.Client, say: (line: string) => void): Promise<void> {
  const text = `
    select (select count(*) from lineshaft.run where ended_at is null)::int as runs,
      (select count(*) from lineshaft.step where ended_at is not null)::int as done,
      (select count(*) from lineshaft.mark)::int as marks`;
  let done = -1;
  let movedMs = monotonicMs();
  for (;;) {
    const { rows } = await client.query<{ runs: number; done: number; marks: number }>(text);
    const [now = { runs: 0, done: 0, marks: 0 }] = rows;
    if (now.runs === 0 && now.marks === 0) return;
    if (now.done !== done) {
      done = now.done;
      movedMs = monotonicMs();
    } else if (monotonicMs() - movedMs > drainTimeoutMs) {
      say(`${now.runs} runs do not end`);
      return;
    }
    await pause(200);
  }
}

async function until(what: string, look: () => boolean): Promise<void> {
  const endMs = monotonicMs() + startTimeoutMs;
  while (!look()) {
    if (monotonicMs() > endMs) throw new Error(`not within ${startTimeoutMs / 1_000} s: ${what}`);
    await pause(50);
  }
}
