/**
 * A process that enqueues jobs at a steady rate, whatever became of the calls before, and writes down what it asked
 * for and what it was told. Half of the calls choose an id: where their answer is lost they are sent again with the
 * same id until there is one; one in ten of them, and all that have no id, is left unknown.
 */

import { randomBytes } from 'node:crypto';
import { isLineshaftError, Lineshaft, silentLog } from '@lineshaft/core';
import { UuidSource } from '../../../packages/core/src/domain/uuid.ts';
import { openLedger } from '../ledger/writer.ts';
import { monotonicMs, pause } from '../monotonic.ts';
import { randomOf } from '../random.ts';
import { pickWorkload } from '../workloads/index.ts';
import type { LabPayload } from '../workloads/workload.ts';
import { type CallerSettings, endWithTheLab, onCommand, readSettings } from './settings.ts';

const settings = readSettings<CallerSettings>();
endWithTheLab();
const write = openLedger(settings.ledger, 'caller', settings.name);
const random = randomOf(settings.seed, settings.name);
const ids = new UuidSource(
  () => Date.now(),
  (length) => randomBytes(length),
);
const lineshaft = new Lineshaft({ databaseUrl: settings.databaseUrl, log: silentLog });
const counts = { acked: 0, unsettled: 0 };
let finishing = false;
onCommand(({ command }) => {
  if (command === 'finish') finishing = true;
});
const reporting = setInterval(() => process.send?.(counts), 200);

await callSteadily();
// By now each call knows what became of it, or is sent again until it does.
while (counts.unsettled > 0) await pause(20);
await lineshaft.close();
clearInterval(reporting);
process.send?.(counts);
process.disconnect();

/** Open loop: each call is made when it is due. */
async function callSteadily(): Promise<void> {
  const startMs = monotonicMs();
  let made = 0;
  while (!finishing) {
    const dueCalls = Math.floor(((monotonicMs() - startMs) / 1_000) * settings.perSecond);
    for (; made < dueCalls; made += 1) void call(made);
    await pause(5);
  }
}

async function call(n: number): Promise<void> {
  const workload = pickWorkload(random);
  const { ask, payload, options } = workload.request(random, monotonicMs());
  const ref = `${settings.name}.${n}`;
  const id = random.next() < 0.5 ? ids.next() : undefined;
  const persistent = id !== undefined && random.next() < 0.9;
  const full: LabPayload = { ...payload, ref };
  counts.unsettled += 1;
  for (let attempt = 1; ; attempt += 1) {
    write({ e: 'send', ref, workload: workload.name, ...ask, ...(id === undefined ? {} : { id }) });
    const settled = await lineshaft
      .enqueue(`lab.${workload.name}`, full, {
        queue: settings.queue,
        ...options,
        ...(id === undefined ? {} : { id }),
      })
      .then(
        (made) => {
          counts.acked += 1;
          write({ e: 'ack', ref, id: made.id, result: made.result });
          return true;
        },
        (error: unknown) => {
          const code = isLineshaftError(error) ? error.code : String(error);
          if (code === 'DATABASE_UNAVAILABLE') write({ e: 'unknown', ref, code });
          else write({ e: 'refused', ref, code: `${code}: ${error instanceof Error ? error.message : ''}` });
          return code !== 'DATABASE_UNAVAILABLE' || !persistent;
        },
      );
    if (settled) break;
    await pause(Math.min(50 * 2 ** attempt, 1_000));
  }
  counts.unsettled -= 1;
}
