/**
 * A worker that polls over HTTP as SDKs of Conductor do: it takes steps from whichever server answers, does them, and reports
 * to whichever server answers, again and again until one does.
 */
import { pause } from '../monotonic.ts';
import { randomOf } from '../random.ts';
import { openRunLedger } from '../workflows/ledger.ts';
import { reach } from './borders.ts';
import { doStep, type StepEnd, type StepInput } from './do-step.ts';
import { ask } from './http.ts';
import { endWithTheLab, type RunProcessSettings, readSettings, type ServerAddress } from './settings.ts';

/** As many polls at once, each for as many steps, which are done before the next one. */
const loops = 3;
const stepsMost = 4;
const pollMs = 1_000;
const againMs = 60;

interface Task {
  readonly taskId: string;
  readonly workflowInstanceId: string;
  readonly inputData: StepInput;
}

const statuses: Record<Exclude<StepEnd, 'hung'>, string> = {
  returned: 'COMPLETED',
  failed: 'FAILED',
  refused: 'FAILED_WITH_TERMINAL_ERROR',
};

const settings = readSettings<RunProcessSettings>();
endWithTheLab();
const write = openRunLedger(settings.folder, settings.name);
const random = randomOf(settings.seed, settings.name);
let stopping = false;
process.once('SIGTERM', () => {
  stopping = true;
});
process.send?.({ ready: true });
await Promise.all(Array.from({ length: loops }, pollOn));
process.disconnect();

async function pollOn(): Promise<void> {
  while (!stopping) {
    const server = random.pick(settings.servers);
    const tasks = await poll(server).catch(() => undefined);
    if (tasks === undefined) await pause(againMs);
    else await Promise.all(tasks.map((task) => work(task, server)));
  }
}

/** undefined: the server can do nothing now. */
async function poll({ url }: ServerAddress): Promise<Task[] | undefined> {
  const query = `workerid=${settings.name}&count=${stepsMost}&timeout=${pollMs}`;
  const { status, text } = await ask('GET', `${url}/api/tasks/poll/batch/${settings.task}?${query}`);
  if (status !== 200) return undefined;
  const tasks = JSON.parse(text) as Task[];
  if (tasks.length > 0) reach('polled');
  return tasks;
}

async function work(
  { taskId, workflowInstanceId, inputData }: Task,
  { place }: ServerAddress,
): Promise<void> {
  write({ e: 'start', step: taskId, via: place });
  reach('begun');
  const end = await doStep(taskId, inputData, { random, write });
  if (end === 'hung') return;
  const report = {
    taskId,
    workflowInstanceId,
    workerId: settings.name,
    status: statuses[end],
    outputData: end === 'returned' ? { n: inputData.n } : {},
  };
  while (!(await isTaken(report))) await pause(againMs);
}

/** Whether a server has answered to a report. */
async function isTaken(report: { readonly taskId: string; readonly status: string }): Promise<boolean> {
  const { place, url } = random.pick(settings.servers);
  const { taskId: step, status: told } = report;
  write({ e: 'told', step, via: place });
  try {
    const { status, text } = await ask('POST', `${url}/api/tasks`, report, () => reach('report sent'));
    if (status === 200) {
      write({ e: 'reported', step, status: told });
      reach('report answered');
      return true;
    }
    if (status < 500) {
      write({ e: 'refused', what: `the report of step ${step}: ${status} ${text.slice(0, 200)}` });
      return true;
    }
    write({ e: 'unheard', step, why: `${status} ${text.slice(0, 200)}` });
  } catch (error) {
    write({ e: 'unheard', step, why: String(error) });
  }
  return false;
}
