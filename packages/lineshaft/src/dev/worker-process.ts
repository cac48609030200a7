/** The worker of `dev`: a child process, so that each start loads the user's code anew. */

import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

/** Beyond the worker's own time-out: then something in it hangs. */
const killAfterMs = 5_000;

export class WorkerProcess {
  /** Resolves with the exit code when the process has ended. */
  readonly ended: Promise<number>;
  private readonly child: ChildProcess;

  /** @param args of the command `lineshaft worker` */
  constructor(args: readonly string[], options: { cwd: string; env: Record<string, string | undefined> }) {
    const main = import.meta.url.endsWith('.ts') ? '../main.ts' : '../main.js';
    this.child = spawn(process.execPath, [fileURLToPath(new URL(main, import.meta.url)), 'worker', ...args], {
      ...options,
      // A group of its own: a Ctrl-C in the terminal reaches `dev`, which passes it on once. The channel
      // tells the worker when `dev` is gone.
      detached: true,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.ended = new Promise((resolve) => {
      this.child.once('exit', (code, signal) =>
        resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])),
      );
      this.child.once('error', () => resolve(1));
    });
  }

  signal(signal: 'SIGTERM' | 'SIGINT'): void {
    this.child.kill(signal);
  }

  /** Lets it finish what runs for so long; then it is ended. */
  async stop(timeoutMs: number): Promise<void> {
    this.signal('SIGTERM');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), timeoutMs + killAfterMs);
    await this.ended;
    clearTimeout(timer);
  }
}
