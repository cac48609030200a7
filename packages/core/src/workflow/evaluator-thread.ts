/** A thread of the evaluator: evaluates batches, tells how each ended, and says so when something has broken it. */

import { parentPort, workerData } from 'node:worker_threads';
import { JavaScript } from './evaluate-javascript.ts';
import { JqPrograms } from './evaluate-jq.ts';
import {
  type Batch,
  BrokenError,
  type Outcome,
  type Task,
  type ThreadMessage,
  type ThreadSettings,
} from './evaluator-protocol.ts';

/** What is ready is told after so long, also in the middle of a batch. */
const tellAfterMs = 5;

const settings = workerData as ThreadSettings;
const shared = new Int32Array(settings.shared);
let javaScript: JavaScript | undefined;
let jq: JqPrograms | undefined;

parentPort?.on('message', (batch: Batch) => {
  // A thread that throws ends, and the evaluator sees to what it was given.
  void evaluateBatch(batch);
});

async function evaluateBatch(batch: Batch): Promise<void> {
  let outcomes: Outcome[] = [];
  let toldAt = Date.now();
  for (const [at, task] of batch.tasks.entries()) {
    if (Atomics.load(shared, 0) === batch.number) break;
    Atomics.store(shared, 1, at);
    const evaluated = await evaluateTask(task);
    outcomes.push(evaluated.outcome);
    if (evaluated.broken) {
      tell({ batch: batch.number, outcomes, done: true, broken: true });
      return;
    }
    if (Date.now() - toldAt < tellAfterMs) continue;
    tell({ batch: batch.number, outcomes, done: false, broken: false });
    outcomes = [];
    toldAt = Date.now();
  }
  tell({ batch: batch.number, outcomes, done: true, broken: false });
}

async function evaluateTask(task: Task): Promise<{ readonly outcome: Outcome; readonly broken: boolean }> {
  const { id } = task;
  try {
    const results = task.language === 'jq' ? await runJq(task) : [await runJavaScript(task)];
    return { outcome: { id, ok: true, results }, broken: false };
  } catch (error) {
    const { message } = error as Error;
    return { outcome: { id, ok: false, message }, broken: error instanceof BrokenError };
  }
}

async function runJavaScript(task: Task): Promise<string> {
  if (javaScript === undefined) {
    javaScript = await JavaScript.load(settings);
    tell({ loaded: 'javascript' });
  }
  return javaScript.evaluate(task.expression, task.body, task.input);
}

async function runJq(task: Task): Promise<readonly string[]> {
  if (jq === undefined) {
    jq = await JqPrograms.load(settings);
    tell({ loaded: 'jq' });
  }
  return jq.evaluate(task.expression, task.input);
}

function tell(message: ThreadMessage): void {
  parentPort?.postMessage(message);
}
