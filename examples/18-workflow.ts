/** A workflow: a step that is tried again, a decision by a script, and a wait that a person ends. */

import { Lineshaft, type StepDefinition, silentLog } from '@lineshaft/core';
import { openDatabase } from './database.ts';

const step = (type: string, name: string, more: Partial<StepDefinition> = {}): StepDefinition => {
  return { name, taskReferenceName: name, type, ...more };
};

const database = await openDatabase();
const lineshaft = new Lineshaft({ databaseUrl: database.url, log: silentLog });
await lineshaft.migrate();
const { workflows } = lineshaft;

await workflows.putTask({ name: 'quote', retryCount: 1, retryDelaySeconds: 0 });
const item = '${workflow.input.item}';
const tasks = [
  step('SIMPLE', 'quote', { inputParameters: { item } }),
  step('SWITCH', 'choose', {
    inputParameters: { price: '${quote.output.price}' },
    evaluatorType: 'javascript',
    expression: `$.price > 100 ? 'dear' : 'cheap'`,
    decisionCases: { dear: [step('WAIT', 'approve')] },
  }),
  step('SIMPLE', 'order', { inputParameters: { item, by: '${approve.output.by}' } }),
];
const outputParameters = { order: '${order.output.result}' };
await workflows.putWorkflow({ name: 'purchase', tasks, outputParameters }, { overwrite: true });

let calls = 0;
lineshaft.handle('quote', () => {
  if (calls++ === 0) throw new Error('the shop is closed');
  return { price: 120 };
});
lineshaft.handle('order', ({ item, by }: { item: string; by: string }) => `${item}, approved by ${by}`);
await lineshaft.worker({ queues: ['workflow'] }).start();

const id = await workflows.start({ name: 'purchase', input: { item: 'a lathe' } });
await workflows.waitForRun(id, ({ steps }) => steps.some(({ ref }) => ref === 'approve'), {
  timeoutMs: 20_000,
});
await workflows.signal(id, 'COMPLETED', { by: 'Ada' });
const ended = await workflows.waitForRun(id, ({ run }) => run.endedAt !== undefined, { timeoutMs: 20_000 });
for (const { ref, status } of ended.steps) console.log(`${ref} ${status}`);
console.log(`${ended.run.status}: ${ended.run.output['order']}`);
await lineshaft.close();
await database.release();

/* Prints:
quote FAILED
quote COMPLETED
choose COMPLETED
approve COMPLETED
order COMPLETED
COMPLETED: a lathe, approved by Ada
*/
