/** A process of the lab: started, told things, stopped and continued, killed, and waited for. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Command } from '../processes/settings.ts';

const clock = inProcesses('shifted-clock.ts').href;
const alive = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});

/** What a process runs. */
export interface Program {
  readonly name: string;
  /** Path of its file. */
  readonly file: string;
  readonly args: readonly string[];
  /** File names in `processes` of what is loaded before it. */
  readonly before?: readonly string[];
  /** Variables of its environment besides ours. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A program of the lab. @param file name in `processes` */
export function labProgram(
  file: string,
  settings: { readonly name: string },
  before: readonly string[] = [],
): Program {
  const path = fileURLToPath(inProcesses(file));
  return { name: settings.name, file: path, args: [JSON.stringify(settings)], before };
}

export class Child {
  readonly name: string;
  /** Resolves when it has ended, with what ended it. */
  readonly ended: Promise<string>;
  /** Whether the lab wanted it to end. */
  expected = false;
  /** It was told to kill itself, and may do so or not. */
  doomed = false;
  private readonly process: ChildProcess;

  /** @param log where its output goes */
  constructor({ name, file, args, before = [], env = {} }: Program, log: string) {
    this.name = name;
    const out = openSync(log, 'a');
    const loaded = [clock, ...before.map((each) => inProcesses(each).href)];
    const flags = ['--disable-warning=ExperimentalWarning', ...loaded.flatMap((url) => ['--import', url])];
    this.process = spawn(process.execPath, [...flags, file, ...args], {
      stdio: ['ignore', out, out, 'ipc'],
      env: { ...process.env, ...env },
    });
    closeSync(out);
    alive.add(this.process);
    this.ended = new Promise((resolve) => {
      this.process.once('exit', (code, signal) => {
        alive.delete(this.process);
        resolve(signal ?? `exit code ${code}`);
      });
    });
    this.process.on('error', () => {});
  }

  onMessage(handle: (message: unknown) => void): void {
    this.process.on('message', handle);
  }

  tell(command: Command): void {
    if (this.process.connected) this.process.send(command, () => {});
  }

  signal(name: NodeJS.Signals): void {
    this.process.kill(name);
  }

  async kill(): Promise<void> {
    this.expected = true;
    this.signal('SIGKILL');
    await this.ended;
  }
}

function inProcesses(file: string): URL {
  return new URL(`../processes/${file}`, import.meta.url);
}
