/** A process of the lab: started, told things, stopped and continued, killed, and waited for. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Command } from '../processes/settings.ts';

const clock = new URL('../processes/shifted-clock.ts', import.meta.url).href;
const alive = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});

export class Child {
  readonly name: string;
  /** Resolves when it has ended, with what ended it. */
  readonly ended: Promise<string>;
  /** Whether the lab wanted it to end. */
  expected = false;
  private readonly process: ChildProcess;

  /** @param program file name in `processes` @param log where its standard error goes */
  constructor(program: string, settings: { readonly name: string }, log: string) {
    this.name = settings.name;
    const out = openSync(log, 'a');
    const file = fileURLToPath(new URL(`../processes/${program}`, import.meta.url));
    const flags = ['--disable-warning=ExperimentalWarning', '--import', clock];
    this.process = spawn(process.execPath, [...flags, file, JSON.stringify(settings)], {
      stdio: ['ignore', out, out, 'ipc'],
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
