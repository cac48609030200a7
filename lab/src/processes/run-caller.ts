/**
 * A process that starts runs at a steady rate, some by the library and some over HTTP, and writes down which were
 * acknowledged. A start whose answer was lost is sent again with the same idempotency key. Killed like all others.
 */

import { randomUUID } from 'node:crypto';
import { isLineshaftError, Lineshaft, type StartRequest, silentLog } from '@lineshaft/core';
import { monotonicMs, pause } from '../monotonic.ts';
import { randomOf } from '../random.ts';
import { openRunLedger } from '../workflows/ledger.ts';
import { type Shape, shapes } from '../workflows/shapes.ts';
import { ask } from './http.ts';
import { endWithTheLab, onCommand, type RunProcessSettings, readSettings } from './settings.ts';

/** A machine that can't keep up is not buried in runs: that is not what is tested. */
const unsettledMost = 100;

const settings = readSettings<RunProcessSettings>();
endWithTheLab();
const write = openRunLedger(settings.folder, settings.name);
const random = randomOf(settings.seed, settings.name);
const lineshaft = new Lineshaft({ databaseUrl: settings.databaseUrl, log: silentLog });
const counts = { acked: 0, unsettled: 0 };
let finishing = false;
onCommand(({ command }) => {
  if (command === 'finish') finishing = true;
});
const reporting = setInterval(() => process.send?.(counts), 200);

const startMs = monotonicMs();
let made = 0;
while (!finishing) {
  const due = Math.floor(((monotonicMs() - startMs) / 1_000) * settings.perSecond);
  for (; made < due && counts.unsettled < unsettledMost; made += 1) void start(made);
  made = Math.max(made, due - unsettledMost);
  await pause(10);
}
while (counts.unsettled > 0) await pause(20);
await lineshaft.close();
clearInterval(reporting);
process.send?.(counts);
process.disconnect();

async function start(n: number): Promise<void> {
  const shape = random.pick(shapes);
  const overHttp = random.next() < 0.5;
  const key = randomUUID();
  const request: StartRequest = {
    name: shape.definition.name,
    version: 1,
    input: { n, ...shape.input?.(n) },
    idempotencyKey: key,
    idempotencyStrategy: 'RETURN_EXISTING',
  };
  counts.unsettled += 1;
  while (!(await isStarted(shape, n, request, overHttp))) await pause(100);
  counts.unsettled -= 1;
}

/** Whether there was an answer. */
async function isStarted(
  shape: Shape,
  n: number,
  request: StartRequest,
  overHttp: boolean,
): Promise<boolean> {
  try {
    const run = overHttp ? await startOverHttp(request) : await lineshaft.workflows.start(request);
    if (run === undefined) return false;
    counts.acked += 1;
    write({ e: 'ack', run, shape: shape.definition.name, n, key: request.idempotencyKey ?? '' });
  } catch (error) {
    // The database is away, or another process is about to start it.
    if (isLineshaftError(error, 'DATABASE_UNAVAILABLE') || isLineshaftError(error, 'RUN_BUSY')) return false;
    write({ e: 'refused', what: `a start of ${request.name}: ${String(error)}` });
  }
  return true;
}

/** undefined: the server can do nothing now, or is not there. */
async function startOverHttp(request: StartRequest): Promise<string | undefined> {
  const { url } = random.pick(settings.servers);
  const answer = await ask('POST', `${url}/api/workflow`, request).catch(() => undefined);
  if (answer === undefined || answer.status >= 500) return undefined;
  if (answer.status === 200) return answer.text;
  throw new Error(`${answer.status} ${answer.text.slice(0, 200)}`);
}
