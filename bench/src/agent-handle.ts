/** The harness's side of an agent process: starts it, commands it, counts what it handles, ends it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import type { AgentSetup, CommandName, Commands, Message } from './agent-protocol.ts';
import { atEnd } from './cleanup.ts';
import { benchDirectory, venvPython } from './paths.ts';
import type { SystemEntry } from './systems/catalog.ts';
import type { DriverConfig } from './systems/port.ts';

const LAST_OUTPUT_BYTES = 4_000;
const STOP_AFTER_MS = 5_000;

interface Waiting {
  resolve(answer: unknown): void;
  reject(error: Error): void;
}

export class Agent {
  readonly pid: number;
  readonly end: () => Promise<void>;
  readonly #child: ChildProcess;
  readonly #name: string;
  readonly #waiting = new Map<number, Waiting>();
  readonly #watchers = new Set<() => void>();
  #nextId = 1;
  #handled = 0;
  #output = '';
  #ended: Error | undefined;

  constructor(system: SystemEntry, config: DriverConfig) {
    this.#name = system.name;
    this.#child = spawnAgent(system, config);
    this.pid = this.#child.pid ?? 0;
    this.#child.on('message', (message: Message) => this.#receive(message));
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.#output = (this.#output + chunk.toString()).slice(-LAST_OUTPUT_BYTES);
      });
    }
    this.#child.on('error', (error) => this.#fail(error));
    this.#child.on('exit', (code, signal) => this.#fail(new Error(`agent ended (${signal ?? code})`)));
    this.end = atEnd(() => this.#stop());
  }

  async call<C extends CommandName>(command: C, args: Commands[C]['args']): Promise<Commands[C]['answer']> {
    if (this.#ended !== undefined) throw this.#ended;
    if (command === 'startWorker') this.#handled = 0;
    const id = this.#nextId++;
    const answer = new Promise<unknown>((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    this.#child.send({ id, command, args });
    return (await answer) as Commands[C]['answer'];
  }

  get handled(): number {
    return this.#handled;
  }

  /** Resolves when these agents have handled `jobs` together since their workers were started. */
  static async handledTogether(agents: readonly Agent[], jobs: number, timeoutMs: number): Promise<void> {
    const done = Promise.withResolvers<void>();
    const check = (): void => {
      const failed = agents.map((agent) => agent.#ended).find((error) => error !== undefined);
      if (failed !== undefined) done.reject(failed);
      if (agents.reduce((sum, agent) => sum + agent.#handled, 0) >= jobs) done.resolve();
    };
    for (const agent of agents) agent.#watchers.add(check);
    const timer = setTimeout(() => {
      const counts = agents.map((agent) => agent.#handled).join(' + ');
      done.reject(new Error(`handled ${counts} of ${jobs} jobs in ${timeoutMs / 1000} s`));
    }, timeoutMs);
    check();
    try {
      await done.promise;
    } finally {
      clearTimeout(timer);
      for (const agent of agents) agent.#watchers.delete(check);
    }
  }

  #receive(message: Message): void {
    if ('handled' in message) {
      this.#handled = message.handled;
      for (const watch of this.#watchers) watch();
      return;
    }
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if ('error' in message) waiting?.reject(new Error(`${this.#name}: ${message.error}`));
    else waiting?.resolve(message.answer);
  }

  #fail(error: Error): void {
    this.#ended ??= new Error(`${this.#name}: ${error.message}\n${this.#output}`);
    for (const waiting of this.#waiting.values()) waiting.reject(this.#ended);
    this.#waiting.clear();
    for (const watch of this.#watchers) watch();
  }

  async #stop(): Promise<void> {
    const child = this.#child;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    if (child.connected) child.disconnect();
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_AFTER_MS);
    await exited;
    clearTimeout(timer);
  }
}

function spawnAgent(system: SystemEntry, config: DriverConfig): ChildProcess {
  const setup: AgentSetup = { module: system.module, config };
  const [program, script] =
    system.runtime === 'python'
      ? [venvPython, join(benchDirectory, 'src/systems', system.module)]
      : // Compiled, so that no system's memory holds the machinery that strips types.
        [process.execPath, join(benchDirectory, 'dist/agent.js')];
  return spawn(program, [script, JSON.stringify(setup)], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    // A group of its own: Ctrl-C reaches the harness alone, which then ends its agents.
    detached: true,
    env: { ...process.env, NODE_ENV: 'production', NODE_NO_WARNINGS: '1' },
  });
}
