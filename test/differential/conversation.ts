/** One client's calls to one server, with all answers kept: what is compared between two servers. */
import { Names } from './normalise.ts';
import { childrenOf, isSettled, type RunFacts } from './settled.ts';

export type { RunFacts } from './settled.ts';

export interface Exchange {
  /** Method and path; a second such call of the conversation ends with `#2`. Ids are still in it. */
  readonly call: string;
  readonly status: number;
  /** The media type; empty where the answer has none. */
  readonly type: string;
  /** JSON where it is JSON, else text; undefined where it is empty. */
  readonly body: unknown;
}

/** The part of a task that conversations need. */
export interface PolledTask {
  readonly taskId: string;
  readonly workflowInstanceId: string;
  readonly referenceTaskName: string;
}

type Query = Readonly<Record<string, string | number | boolean>>;

interface CallOptions {
  readonly query?: Query;
  readonly body?: unknown;
  /** A body that goes as it is. */
  readonly text?: string;
  /** Keeps a part of the answer only, as where it holds things of other conversations too. */
  readonly keep?: (body: unknown) => unknown;
}

const waitMs = 180_000;
const askAgainMs = 40;
const busyMost = 10;
/** What has not changed for so long will not, though it does not look settled: that too is an answer. */
const stillMs = 3_000;
const terminal = new Set(['COMPLETED', 'FAILED', 'TIMED_OUT', 'TERMINATED']);

export class Conversation {
  readonly exchanges: Exchange[] = [];
  readonly #base: string;
  readonly #counts = new Map<string, number>();

  /** @param base the address of the API, as `http://127.0.0.1:8080/api` */
  constructor(base: string) {
    this.#base = base;
  }

  /** Calls and keeps the answer; returns its body. */
  async call(method: string, path: string, options: CallOptions = {}): Promise<unknown> {
    const exchange = await this.#send(method, path, options);
    const body = options.keep === undefined ? exchange.body : options.keep(exchange.body);
    this.#keep({ ...exchange, body });
    return exchange.body;
  }

  get(path: string, query: Query = {}, keep?: (body: unknown) => unknown): Promise<unknown> {
    return this.call('GET', path, { query, ...(keep === undefined ? {} : { keep }) });
  }

  post(path: string, body?: unknown, query: Query = {}): Promise<unknown> {
    return this.call('POST', path, { body, query });
  }

  put(path: string, body?: unknown, query: Query = {}): Promise<unknown> {
    return this.call('PUT', path, { body, query });
  }

  delete(path: string, query: Query = {}): Promise<unknown> {
    return this.call('DELETE', path, { query });
  }

  /** Calls and keeps nothing: for set-up and for waiting. */
  async quietly(method: string, path: string, options: CallOptions = {}): Promise<unknown> {
    return (await this.#send(method, path, options)).body;
  }

  /** Starts a run by name and returns its id. */
  async start(name: string, input: object = {}, more: object = {}): Promise<string> {
    const id = await this.post('/workflow', { name, input, ...more });
    if (typeof id !== 'string') throw new Error(`${name} could not be started: ${JSON.stringify(id)}`);
    return id;
  }

  /** Polls until there is a task of this type, and keeps that answer. */
  async task(type: string, domain?: string): Promise<PolledTask> {
    const query = { workerid: 'worker-1', ...(domain === undefined ? {} : { domain }) };
    const path = `/tasks/poll/${encodeURIComponent(type)}`;
    const polled = await this.#until(`a task of ${type}`, async () => {
      const exchange = await this.#send('GET', path, { query });
      return exchange.status === 204 ? undefined : exchange;
    });
    this.#keep(polled);
    return polled.body as PolledTask;
  }

  /** Reports a task, as a worker does. */
  async report(task: PolledTask, status: string, output: object = {}, more: object = {}): Promise<unknown> {
    const { taskId, workflowInstanceId } = task;
    const facts = { workflowInstanceId, taskId, workerId: 'worker-1', status, outputData: output };
    return this.post('/tasks', { ...facts, ...more });
  }

  /** Polls a task of this type and reports it. */
  async finish(type: string, output: object = {}, status = 'COMPLETED', more: object = {}): Promise<void> {
    await this.report(await this.task(type), status, output, more);
  }

  /** Waits until a run has ended, then keeps how it looks. */
  ended(runId: string): Promise<RunFacts> {
    return this.seen(runId, ({ status }) => terminal.has(status), 'the end');
  }

  /** Waits until the latest step of this reference has this status, then keeps how the run looks. */
  step(runId: string, reference: string, status: string): Promise<RunFacts> {
    return this.seen(runId, (run) => findStep(run, reference)?.status === status, `${reference} ${status}`);
  }

  /** Waits until nothing more comes by itself, then keeps how the run looks. */
  look(runId: string): Promise<RunFacts> {
    return this.seen(runId, () => true, 'something');
  }

  /** Waits until a run looks as wanted and nothing more comes by itself, then keeps how it looks. */
  async seen(runId: string, wanted: (run: RunFacts) => boolean, what = 'a state'): Promise<RunFacts> {
    let last: Exchange | undefined;
    let text = '';
    let since = performance.now();
    const kept = await this.#until(
      `${what} of ${runId}`,
      async () => {
        const exchange = await this.#send('GET', `/workflow/${runId}`, { query: { includeTasks: true } });
        const seen = lastingText(exchange.body);
        const same = seen === text;
        if (!same) [text, since] = [seen, performance.now()];
        last = exchange;
        const run = exchange.body as RunFacts;
        if (exchange.status !== 200 || !wanted(run)) return undefined;
        const isStill = performance.now() - since > stillMs;
        return isStill || (same && (await this.#isSettled(run))) ? exchange : undefined;
      },
      () => JSON.stringify(last),
    );
    this.#keep(kept);
    return kept.body as RunFacts;
  }

  /** With the runs of its steps. */
  async #isSettled(run: RunFacts): Promise<boolean> {
    if (!isSettled(run)) return false;
    for (const child of childrenOf(run)) {
      const { status, body } = await this.#send('GET', `/workflow/${child}`, {});
      if (status === 200 && !(await this.#isSettled(body as RunFacts))) return false;
    }
    return true;
  }

  /** Waits until a run looks as wanted, and keeps nothing. */
  async reaches(runId: string, wanted: (run: RunFacts) => boolean, what: string): Promise<void> {
    let last: unknown;
    await this.#until(
      `${what} of ${runId}`,
      async () => {
        const { status, body } = await this.#send('GET', `/workflow/${runId}`, {});
        last = body;
        return status === 200 && wanted(body as RunFacts) ? true : undefined;
      },
      () => JSON.stringify(last),
    );
  }

  /** Waits until an answer is as wanted, then keeps it. */
  async answers(path: string, wanted: (body: unknown) => boolean, query: Query = {}): Promise<unknown> {
    let last: Exchange | undefined;
    const kept = await this.#until(
      `the wanted answer of ${path}`,
      async () => {
        last = await this.#send('GET', path, { query });
        return wanted(last.body) ? last : undefined;
      },
      () => JSON.stringify(last),
    );
    this.#keep(kept);
    return kept.body;
  }

  #keep(exchange: Exchange): void {
    const count = (this.#counts.get(exchange.call) ?? 0) + 1;
    this.#counts.set(exchange.call, count);
    this.exchanges.push(count === 1 ? exchange : { ...exchange, call: `${exchange.call} #${count}` });
  }

  async #until<T>(
    what: string,
    look: () => Promise<T | undefined>,
    last: () => string = () => 'nothing',
  ): Promise<T> {
    const deadline = performance.now() + waitMs;
    for (;;) {
      const found = await look();
      if (found !== undefined) return found;
      if (performance.now() > deadline) {
        throw new Error(`waited ${waitMs} ms for ${what}; last seen: ${last().slice(0, 2_000)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, askAgainMs));
    }
  }

  /** Again where SQLite had no room for what the reference wanted to write: nothing was. */
  async #send(method: string, path: string, options: CallOptions): Promise<Exchange> {
    for (let time = 1; ; time += 1) {
      const exchange = await this.#sendOnce(method, path, options);
      const isBusy = exchange.status === 500 && JSON.stringify(exchange.body)?.includes('SQLITE_BUSY');
      if (!isBusy || time === busyMost) return exchange;
      await new Promise((resolve) => setTimeout(resolve, askAgainMs));
    }
  }

  async #sendOnce(method: string, path: string, { query, body, text }: CallOptions): Promise<Exchange> {
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(query ?? {})) search.append(name, String(value));
    const target = `${path}${search.size === 0 ? '' : `?${search}`}`;
    const content = text ?? (body === undefined ? undefined : JSON.stringify(body));
    const response = await fetch(`${this.#base}${target}`, {
      method,
      ...(content === undefined ? {} : { body: content }),
      headers: { 'content-type': 'application/json' },
      signal: AbortSignal.timeout(60_000),
    });
    const type = response.headers.get('content-type')?.split(';')[0] ?? '';
    const answer = await response.text();
    const read = answer === '' ? undefined : type.endsWith('json') ? JSON.parse(answer) : answer;
    return { call: `${method} ${target}`, status: response.status, type, body: read };
  }
}

/** What does not change from look to look of a run to which nothing happens. */
function lastingText(body: unknown): string {
  const counted = new Set(['pollCount', 'callbackAfterSeconds']);
  return JSON.stringify(new Names().value(body, ''), (key, value) => (counted.has(key) ? 0 : value));
}

/** The latest step of a reference. */
export function findStep(run: RunFacts, reference: string): RunFacts['tasks'][number] | undefined {
  return run.tasks.findLast((step) => step.referenceTaskName === reference);
}
