/** The worker processes of the demo, as their parent sees them. */

import { type ChildProcess, fork } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { WorkerNews } from './worker.ts';

export interface WorkerProcess {
  readonly name: string;
  /** Resolves when it claims jobs. */
  readonly ready: Promise<void>;
  /** Resolves, with what a person should know, when it has ended. */
  readonly ended: Promise<string>;
  stop(): Promise<void>;
}

export interface WorkerProcessOptions {
  readonly name: string;
  readonly databaseUrl: string;
  readonly schema: string;
  readonly onFinished: (jobs: number) => void;
  readonly onLine: (line: string) => void;
}

export function startWorkerProcess(options: WorkerProcessOptions): WorkerProcess {
  const child = fork(fileURLToPath(new URL('./worker.ts', import.meta.url)), {
    // A Ctrl-C of the terminal is for the demo, which then stops its workers.
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    env: {
      ...process.env,
      LINESHAFT_DATABASE_URL: options.databaseUrl,
      DEMO_SCHEMA: options.schema,
      DEMO_WORKER: options.name,
    },
  });
  if (child.stderr !== null) createInterface({ input: child.stderr }).on('line', options.onLine);
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(`${options.name} could not be started: ${error.message}`));
    child.once('exit', (code, signal) =>
      resolve(`${options.name} ended with ${signal ?? `exit code ${code}`}`),
    );
  });
  const ready = new Promise<void>((resolve, reject) => {
    child.on('message', (news: WorkerNews) => {
      if ('ready' in news) resolve();
      else options.onFinished(news.finished);
    });
    ended.then((how) => reject(new Error(how)), reject);
  });
  ready.catch(() => {});
  return { name: options.name, ready, ended, stop: () => stopChild(child, ended) };
}

const patienceMs = 5_000;

async function stopChild(child: ChildProcess, ended: Promise<string>): Promise<void> {
  if (child.connected) child.send('stop');
  const timer = setTimeout(() => child.kill('SIGKILL'), patienceMs);
  await ended;
  clearTimeout(timer);
}
