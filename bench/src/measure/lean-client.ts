/** A client of Conductor's API as lean as one can be: kept connections, batch polls, reports side by side. */
import { Agent, request } from 'node:http';

export const TASK = 'bench_step';
const WORKFLOW = 'bench_chain';
const STARTS_AT_ONCE = 16;
const POLLERS = 4;
const REPORTS_AT_ONCE = 32;
const BATCH = 100;
/** What both servers grant. */
const POLL_MS = 100;

export interface PolledTask {
  readonly taskId: string;
  readonly workflowInstanceId: string;
  readonly inputData: Record<string, unknown>;
}

export interface ShownRun {
  readonly status: string;
  /** ms since 1970 by the server's clock; 0: it has not ended. */
  readonly endTime: number;
  /** Where they were asked for. */
  readonly tasks?: readonly { readonly status: string; readonly endTime: number }[];
}

export class LeanClient {
  readonly #url: URL;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 128 });

  constructor(url: string) {
    this.#url = new URL(url);
  }

  /** A workflow of so many worker steps in a row; each hands its input on. */
  async define(steps: number): Promise<void> {
    const limits = { retryCount: 1, retryDelaySeconds: 1, timeoutSeconds: 0, responseTimeoutSeconds: 600 };
    await this.#call('POST', '/metadata/taskdefs', [
      { name: TASK, ownerEmail: 'bench@example.org', ...limits },
    ]);
    const tasks = Array.from({ length: steps }, (_, index) => ({
      name: TASK,
      taskReferenceName: `step_${index}`,
      type: 'SIMPLE',
      inputParameters: {
        data: index === 0 ? '${workflow.input.data}' : `\${step_${index - 1}.output.data}`,
      },
    }));
    const definition = {
      name: WORKFLOW,
      version: 1,
      schemaVersion: 2,
      ownerEmail: 'bench@example.org',
      tasks,
    };
    await this.#call('PUT', '/metadata/workflow', [definition]);
  }

  /** Starts a run, and returns its id. */
  startOne(data: string): Promise<string> {
    return this.#call('POST', '/workflow', { name: WORKFLOW, version: 1, input: { data } });
  }

  /** Starts runs as fast as they go, and returns their ids. @param until no more are started, by `performance.now()` */
  async start(runs: number, data: string, until: number): Promise<string[]> {
    const ids: string[] = [];
    let left = runs;
    const lane = async (): Promise<void> => {
      while (left-- > 0 && performance.now() < until) ids.push(await this.startOne(data));
    };
    await Promise.all(Array.from({ length: STARTS_AT_ONCE }, lane));
    return ids;
  }

  /** Does steps until so many are done, or the time is over; returns how many. */
  async work(steps: number, until: number): Promise<number> {
    let done = 0;
    const poller = async (name: number): Promise<void> => {
      while (done < steps && performance.now() < until) {
        const tasks = await this.poll(`lean-${name}`, { count: BATCH, timeoutMs: POLL_MS });
        const lane = async (): Promise<void> => {
          for (let task = tasks.pop(); task !== undefined; task = tasks.pop()) {
            await this.report(task, `lean-${name}`);
            done += 1;
          }
        };
        await Promise.all(Array.from({ length: Math.min(REPORTS_AT_ONCE, tasks.length) }, lane));
      }
    };
    await Promise.all(Array.from({ length: POLLERS }, (_, name) => poller(name)));
    return done;
  }

  async poll(
    workerId: string,
    { count, timeoutMs }: { readonly count: number; readonly timeoutMs: number },
  ): Promise<PolledTask[]> {
    const query = `workerid=${workerId}&count=${count}&timeout=${timeoutMs}`;
    return JSON.parse(await this.#call('GET', `/tasks/poll/batch/${TASK}?${query}`)) as PolledTask[];
  }

  async report({ taskId, workflowInstanceId, inputData }: PolledTask, workerId: string): Promise<void> {
    const result = { taskId, workflowInstanceId, workerId, status: 'COMPLETED', outputData: inputData };
    await this.#call('POST', '/tasks', result);
  }

  async show(run: string, { tasks = false } = {}): Promise<ShownRun> {
    return JSON.parse(await this.#call('GET', `/workflow/${run}?includeTasks=${tasks}`)) as ShownRun;
  }

  /** Ids of the runs that have not ended. */
  async running(): Promise<string[]> {
    return JSON.parse(await this.#call('GET', `/workflow/running/${WORKFLOW}?version=1`)) as string[];
  }

  /** What a path below `/api` answers, as it comes. */
  get(path: string): Promise<string> {
    return this.#call('GET', path);
  }

  close(): void {
    this.#agent.destroy();
  }

  #call(method: string, path: string, body?: unknown): Promise<string> {
    const text = body === undefined ? '' : JSON.stringify(body);
    const headers =
      text === '' ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
    const { hostname: host, port, pathname } = this.#url;
    return new Promise((resolve, reject) => {
      const options = { host, port, method, path: `${pathname}${path}`, agent: this.#agent, headers };
      const asked = request(options, (response) => {
        let answer = '';
        response.setEncoding('utf8').on('data', (part: string) => {
          answer += part;
        });
        response.once('error', reject).once('end', () => {
          const { statusCode = 0 } = response;
          if (statusCode < 300) resolve(answer);
          else reject(new Error(`${method} ${path}: ${statusCode} ${answer.slice(0, 300)}`));
        });
      });
      asked.once('error', reject).end(text);
    });
  }
}
