/**
 * `lineshaft dev`: a database, its schema, the HTTP server, and a worker for the folder of tasks that starts anew when they
 * change.
 */

import { relative, resolve } from 'node:path';
import { isLineshaftError } from '@lineshaft/core';
import type { Context } from '../commands/context.ts';
import type { DevFlags } from '../commands/dev.ts';
import { type OpenDatabase, type Serving, serve } from '../compose.ts';
import { describeDuration } from '../durations.ts';
import { consoleLog } from '../output/console-log.ts';
import { listTaskFiles } from '../tasks-folder.ts';
import { TaskWatcher } from './task-watcher.ts';
import { WorkerProcess } from './worker-process.ts';

/** A worker that ended by itself after less than this is not started again before something changes. */
const livedMs = 2_000;
const restartAfterMs = 1_000;
const shutdownTimeoutMs = 10_000;

/** Runs until Ctrl-C. */
export async function runDev(context: Context<DevFlags>): Promise<undefined> {
  const { flags, host, screen } = context;
  const directory = resolve(host.cwd, flags.tasks ?? 'tasks');
  const startedMs = performance.now();
  const database = await context.open({ create: true, applicationName: 'lineshaft dev' });
  const { steps, schema } = await database.lineshaft.migrate();
  const took = describeDuration(performance.now() - startedMs);
  const migrated = steps.length === 0 ? '' : `, ${steps.length} migrations`;
  screen.say(
    `${screen.style('bold', 'lineshaft dev')}  ${database.where}, schema ${schema} (${took}${migrated})`,
  );
  const serving = await startServer(context, database);
  const watcher = new TaskWatcher(directory);
  try {
    await new DevLoop(context, directory, database, watcher).run();
  } finally {
    watcher.close();
    await serving.stop();
  }
  screen.say('stopped');
  return undefined;
}

/** On the usual port; where another program has that, and no other was named, on any. */
async function startServer(
  { flags, host, screen }: Context<DevFlags>,
  database: OpenDatabase,
): Promise<Serving> {
  const log = consoleLog(host, 'warn', screen.json);
  const on = (port?: number): Promise<Serving> =>
    serve(database, { log, ...(port === undefined ? {} : { port }) });
  const serving = await on(flags.port).catch((error: unknown) => {
    if (flags.port !== undefined || !isLineshaftError(error, 'ADDRESS_UNAVAILABLE')) throw error;
    return on(0);
  });
  screen.say(`${screen.style('dim', 'server')} ${serving.url}    SDKs of Conductor: ${serving.url}/api`);
  return serving;
}

class DevLoop {
  private readonly context: Context<DevFlags>;
  private readonly directory: string;
  private readonly database: OpenDatabase;
  private readonly watcher: TaskWatcher;
  private readonly stopWanted = Promise.withResolvers<'stop'>();
  private worker: WorkerProcess | undefined;
  private signals = 0;
  private hinted = false;

  constructor(context: Context<DevFlags>, directory: string, database: OpenDatabase, watcher: TaskWatcher) {
    this.context = context;
    this.directory = directory;
    this.database = database;
    this.watcher = watcher;
  }

  async run(): Promise<void> {
    const onSignal = (): void => this.signalled();
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
    try {
      let changed = this.watcher.next();
      for (let going = true; going; ) {
        const next = await this.untilChange(changed);
        if (next === 'stop') going = false;
        else if (next === 'change') changed = this.watcher.next();
      }
    } finally {
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.off(signal, onSignal);
    }
  }

  /** Runs a worker, if there are tasks, until something changes, it ends, or the user has enough. */
  private async untilChange(changed: Promise<string[]>): Promise<'change' | 'again' | 'stop'> {
    const { files, problems } = listTaskFiles(this.directory);
    if (files.length + problems.length === 0) {
      this.describeEmpty();
      return await Promise.race([changed.then(() => 'change' as const), this.stopWanted.promise]);
    }
    this.describeTasks(files.map(({ kind }) => kind));
    const startedMs = performance.now();
    const worker = this.startWorker();
    this.worker = worker;
    const happened = await Promise.race([changed, worker.ended, this.stopWanted.promise]);
    if (typeof happened === 'number')
      return await this.workerEnded(happened, performance.now() - startedMs, changed);
    if (happened === 'stop') {
      await worker.stop(shutdownTimeoutMs);
      return 'stop';
    }
    const names = happened.map((file) => relative(this.context.host.cwd, file)).join(', ');
    this.say(`${names} changed: the worker starts anew`);
    await worker.stop(shutdownTimeoutMs);
    return this.signals > 0 ? 'stop' : 'change';
  }

  private async workerEnded(
    code: number,
    lifeMs: number,
    changed: Promise<string[]>,
  ): Promise<'change' | 'again' | 'stop'> {
    this.worker = undefined;
    if (lifeMs > livedMs) {
      this.say(`the worker ended with exit code ${code}; it is started again`);
      const pause = new Promise<'again'>((again) => setTimeout(() => again('again'), restartAfterMs));
      return await Promise.race([pause, this.stopWanted.promise]);
    }
    this.say(
      `the worker ended with exit code ${code}; it starts again when a file in ${this.folder()} changes`,
    );
    return await Promise.race([changed.then(() => 'change' as const), this.stopWanted.promise]);
  }

  private startWorker(): WorkerProcess {
    const { host, flags, screen } = this.context;
    const args = [
      '--tasks',
      this.directory,
      '--report-finished',
      '--shutdown-timeout',
      `${shutdownTimeoutMs}ms`,
    ];
    for (const [flag, value] of [
      ['--concurrency', flags.concurrency],
      ['--ncores', flags.ncores],
      ['--loglevel', flags.loglevel],
    ] as const) {
      if (value !== undefined) args.push(flag, String(value));
    }
    if (screen.json) args.push('--json');
    const env = {
      ...host.env,
      LINESHAFT_DATABASE_URL: this.database.url,
      LINESHAFT_SCHEMA: this.database.lineshaft.schema,
    };
    return new WorkerProcess(args, { cwd: host.cwd, env });
  }

  /** The first lets running jobs finish; a second one is passed on to the worker, which then hurries. */
  private signalled(): void {
    this.signals += 1;
    if (this.signals > 1) {
      this.worker?.signal('SIGTERM');
      return;
    }
    if (this.worker !== undefined)
      this.say('\nstopping; running jobs may finish, Ctrl-C again interrupts them');
    this.stopWanted.resolve('stop');
  }

  private describeEmpty(): void {
    const { screen } = this.context;
    const code = [
      'export default async function ({ name }: { name: string }) {',
      "  return 'Hello ' + name;",
      '}',
    ];
    this.say(
      `\nNo tasks yet. Write ${screen.style('bold', `${this.folder()}/hello.ts`)}:\n\n` +
        `${code.map((line) => `    ${screen.style('cyan', line)}`).join('\n')}\n\n` +
        'The worker starts when the file is there. Then, in another terminal in this folder:\n\n' +
        `    ${screen.style('cyan', `npx lineshaft enqueue hello '{"name":"Ada"}' --wait`)}\n`,
    );
  }

  private describeTasks(kinds: readonly string[]): void {
    const { screen } = this.context;
    const shown = kinds.slice(0, 10).join(', ') + (kinds.length > 10 ? ` and ${kinds.length - 10} more` : '');
    const [first = 'KIND'] = kinds;
    this.say(`${screen.style('dim', 'tasks')}  ${shown || 'none that can be loaded'}`);
    if (this.hinted) return;
    this.hinted = true;
    this.say(`${screen.style('dim', 'try')}    npx lineshaft enqueue ${first} '{}' --wait    (Ctrl-C stops)`);
  }

  private folder(): string {
    return relative(this.context.host.cwd, this.directory) || '.';
  }

  private say(text: string): void {
    this.context.screen.say(text);
  }
}
