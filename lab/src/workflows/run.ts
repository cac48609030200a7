/**
 * A run of the lab `workflows`: callers start runs, servers of the product hand their steps to workers that poll, beside workers
 * of our own; all of them and the database are killed, at random moments and exactly at the borders between a step and
 * the next. In the end every run must have ended, and as it should.
 */
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { Lineshaft, silentLog } from '@lineshaft/core';
import pg from 'pg';
import { monotonicMs, pause } from '../monotonic.ts';
import type { Outcome, RunOptions } from '../run.ts';
import { withClient } from '../site/audit.ts';
import { openServerStand } from '../site/stands.ts';
import { installRunAudit, readRunDatabase } from './audit.ts';
import { RunCrew } from './crew.ts';
import { RunFaults } from './faults.ts';
import { judgeRuns } from './judge.ts';
import { readRunLedgers } from './ledger.ts';
import { followers, shapes } from './shapes.ts';

const startTimeoutMs = 60_000;
/** How long it may take without one step more before the rest is called stuck; a planted fault leaves some. */
const drainTimeoutMs = 30_000;
const plantedDrainTimeoutMs = 8_000;

export async function runWorkflows(
  options: RunOptions,
  folder: string,
  stack: AsyncDisposableStack,
  say: (line: string) => void,
): Promise<Outcome> {
  const { seed, seconds } = options;
  const plant = options.plant !== undefined;
  const stand = await openServerStand(stack, seed);
  say(`database: ${stand.about}; ledgers and logs: ${folder}`);
  await prepare(stand.url, plant);
  const crew = await RunCrew.open({ folder, seed, databaseUrl: stand.url, plant });
  stack.defer(() => crew.kill());
  await until('workers work and starts are answered', () => crew.isReady);
  const ackedBefore = crew.acked;
  const faults = new RunFaults(crew, { server: stand.server, seed, say });
  await faults.happen(seconds);
  const rate = (crew.acked - ackedBefore) / seconds;
  say('the faults are over: callers finish, what runs is worked off');
  await crew.finishCallers();
  await drain(stand.url, plant ? plantedDrainTimeoutMs : drainTimeoutMs, say);
  await crew.stop();
  say('the verdict is made');
  const verdict = judgeRuns({
    ...(await readRunDatabase(stand.url)),
    ledger: readRunLedgers(folder),
    faults: faults.records,
    crashes: crew.crashes,
    missed: plant ? [] : faults.missed,
  });
  const found = { seed, faults: faults.records, hits: Object.fromEntries(faults.hits), verdict };
  appendFileSync(join(folder, 'verdict.json'), `${JSON.stringify(found, undefined, 1)}\n`);
  return { verdict, faults: faults.records.length, perSecond: rate, folder };
}

async function prepare(url: string, plant: boolean): Promise<void> {
  await using lineshaft = new Lineshaft({ databaseUrl: url, log: silentLog });
  await lineshaft.migrate();
  for (const definition of [...shapes.map((shape) => shape.definition), ...followers])
    await lineshaft.workflows.putWorkflow(definition, { overwrite: true });
  await installRunAudit(url);
  if (plant) await withClient(url, plantUnfencedRuns);
}

/** `lab.apply_runs` does what `lineshaft.apply_runs` does, and does not look whether others have changed the runs. */
async function plantUnfencedRuns(client: pg.Client): Promise<void> {
  await plantFunction(client, 'change_runs', ' and r.revision = revisions[w.n]', '');
  await plantFunction(client, 'apply_runs', '"lineshaft".change_runs(', 'lab.change_runs(');
}

/** Makes a function of the schema `lab` that is that of the product, but for one text. */
async function plantFunction(client: pg.Client, name: string, text: string, instead: string): Promise<void> {
  const { rows } = await client.query<{ text: string }>(
    `select pg_get_functiondef('lineshaft.${name}'::regproc) as text`,
  );
  const whole = rows[0]?.text ?? '';
  const planted = whole
    .replace(`FUNCTION lineshaft.${name}(`, `FUNCTION lab.${name}(`)
    .replace(text, instead);
  if (!whole.includes(text) || !planted.includes(`FUNCTION lab.${name}(`))
    throw new Error(`the planted fault does not fit this function any more:\n${whole}`);
  await client.query(planted);
}

/** Waits until no run is left, as long as there are fewer and fewer steps to do. */
async function drain(url: string, timeoutMs: number, say: (line: string) => void): Promise<void> {
  const text = `
    select (select count(*) from lineshaft.run where ended_at is null)::int as runs,
      (select count(*) from lineshaft.step where ended_at is not null)::int as done,
      (select count(*) from lineshaft.mark)::int as marks`;
  let done = -1;
  let movedMs = monotonicMs();
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    for (;;) {
      const { rows } = await client.query<{ runs: number; done: number; marks: number }>(text);
      const [now = { runs: 0, done: 0, marks: 0 }] = rows;
      if (now.runs === 0 && now.marks === 0) return;
      if (now.done !== done) {
        done = now.done;
        movedMs = monotonicMs();
      } else if (monotonicMs() - movedMs > timeoutMs) {
        say(`${now.runs} runs do not end`);
        return;
      }
      await pause(200);
    }
  } finally {
    await client.end();
  }
}

async function until(what: string, look: () => boolean): Promise<void> {
  const endMs = monotonicMs() + startTimeoutMs;
  while (!look()) {
    if (monotonicMs() > endMs) throw new Error(`not within ${startTimeoutMs / 1_000} s: ${what}`);
    await pause(50);
  }
}
