/** A process that starts runs at a steady rate, and writes down which were acknowledged. Killed like all others. */

import { Lineshaft, silentLog } from '@lineshaft/core';
import { monotonicMs, pause } from '../monotonic.ts';
import { randomOf } from '../random.ts';
import { openRunLedger } from '../workflows/ledger.ts';
import { shapes } from '../workflows/shapes.ts';
import { endWithTheLab, onCommand, type RunProcessSettings, readSettings } from './settings.ts';

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
  // A machine that can't keep up is not buried in runs: that is not what is tested.
  for (; made < due && counts.unsettled < 200; made += 1) void start(made);
  made = Math.max(made, due - 200);
  await pause(10);
}
while (counts.unsettled > 0) await pause(20);
await lineshaft.close();
clearInterval(reporting);
process.send?.(counts);
process.disconnect();

async function start(n: number): Promise<void> {
  const { definition } = random.pick(shapes);
  counts.unsettled += 1;
  try {
    const run = await lineshaft.workflows.start({ name: definition.name, version: 1, input: { n } });
    counts.acked += 1;
    write({ e: 'ack', run, shape: definition.name, n });
  } catch {
    // Nobody was told that it is there; whether it is, is nobody's loss.
  }
  counts.unsettled -= 1;
}
