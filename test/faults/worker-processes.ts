/** Worker processes for the tests: started, listened to, and ended whatever happens to the test. */

import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { WorkerOptions } from '../../packages/core/src/index.ts';

const program = fileURLToPath(new URL('../fixtures/worker-process.ts', import.meta.url));

export interface Said {
  readonly event: string;
  readonly id?: string;
  readonly attempt?: number;
  readonly line?: string;
  readonly facts?: Readonly<Record<string, unknown>>;
}

export class WorkerProcess {
  readonly said: Said[] = [];
  /** Exit code or signal. */
  readonly exited: Promise<number | string | null>;
  private readonly child: ChildProcess;
  private readonly waiting = new Set<() => void>();

  constructor(child: ChildProcess) {
    this.child = child;
    this.exited = new Promise((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code)));
    if (child.stdout === null) throw new TypeError('the standard output of a worker process is a pipe');
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.said.push(JSON.parse(line) as Said);
      for (const look of [...this.waiting]) look();
    });
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** Resolves when it has said this, or has already. */
  heard(event: string, fits: (said: Said) => boolean = () => true): Promise<Said> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const found = this.said.find((said) => said.event === event && fits(said));
        if (found === undefined) return;
        this.waiting.delete(look);
        resolve(found);
      };
      this.waiting.add(look);
      look();
      this.exited.then((how) => reject(new Error(`it ended (${how}) and never said '${event}'`)), reject);
    });
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }
}

const running = new Set<WorkerProcess>();

/** Starts a worker; resolves when it claims. */
export async function startWorkerProcess(databaseUrl: string, worker: WorkerOptions): Promise<WorkerProcess> {
  const child = spawn(process.execPath, [program, JSON.stringify({ databaseUrl, worker })], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const started = new WorkerProcess(child);
  running.add(started);
  started.exited.then(
    () => running.delete(started),
    () => {},
  );
  await started.heard('ready');
  return started;
}

/** Ends those that are left, as after each test. */
export async function endWorkerProcesses(): Promise<void> {
  const left = [...running];
  for (const each of left) each.kill('SIGKILL');
  await Promise.all(left.map((each) => each.exited));
}
