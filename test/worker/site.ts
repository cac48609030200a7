/** What the tests of the worker share: an installation of their own, a log to read, and ways to wait. */

import pg from 'pg';
import { inject } from 'vitest';
import {
  Lineshaft,
  type LineshaftOptions,
  type Log,
  type QueueDeclaration,
  type Worker,
  type WorkerEvents,
  type WorkerOptions,
} from '../../packages/core/src/index.ts';
import { createDatabase, type ServerVersion } from '../../packages/core/src/testing/server.ts';

export const versions: readonly ServerVersion[] = [15, 18];

/** A log that remembers what it was told. */
export class LogLines implements Log {
  readonly lines: string[] = [];

  debug(): void {}

  info(message: string): void {
    this.lines.push(message);
  }

  warn(message: string): void {
    this.lines.push(message);
  }

  error(message: string): void {
    this.lines.push(message);
  }

  count(pattern: RegExp): number {
    return this.lines.filter((line) => pattern.test(line)).length;
  }
}

export interface Site {
  readonly url: string;
  readonly lineshaft: Lineshaft;
  readonly log: LogLines;
  /** Declares a queue with a name of its own. */
  queue(settings?: Omit<QueueDeclaration, 'name'>): Promise<string>;
  /** Starts a worker for these queues; it is stopped with the site. */
  work(queue: string | readonly string[], options: WorkerOptions): Promise<Worker>;
  /** Another client of the same installation, closed with the site. */
  other(options?: LineshaftOptions): Lineshaft;
  /** Stops all workers that `work` has started, as after a test. */
  rest(): Promise<void>;
  /** Asks the database, on a connection that is made anew when it was lost. */
  rows<Row = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<Row[]>;
  close(): Promise<void>;
}

let names = 0;

/** A name that no other queue of this file has. */
export function freshName(prefix = 'q'): string {
  names += 1;
  return `${prefix}${names}`;
}

/** Makes a database on the shared server of this version and migrates it. */
export async function openSite(version: ServerVersion, options: LineshaftOptions = {}): Promise<Site> {
  return await openSiteAt(
    await createDatabase(inject(version === 15 ? 'postgres15' : 'postgres18')),
    options,
  );
}

/** The same on a database that is there; clients may take another way to it (`options.databaseUrl`). */
export async function openSiteAt(url: string, options: LineshaftOptions = {}): Promise<Site> {
  const log = new LogLines();
  let client: pg.Client | undefined;
  const opened: Lineshaft[] = [];
  const other = (more: LineshaftOptions = {}): Lineshaft => {
    const made = new Lineshaft({ databaseUrl: url, log, ...options, ...more });
    opened.push(made);
    return made;
  };
  const lineshaft = other();
  const workers: Worker[] = [];
  await lineshaft.migrate();
  return {
    url,
    lineshaft,
    log,
    other,
    async queue(settings = {}) {
      const name = freshName();
      await lineshaft.declare({ name, ...settings });
      return name;
    },
    async work(queue, more) {
      const queues = typeof queue === 'string' ? [queue] : queue;
      const worker = lineshaft.worker({ signals: false, graceMs: 200, queues, ...more });
      await worker.start();
      workers.push(worker);
      return worker;
    },
    async rest() {
      await Promise.all(workers.splice(0).map((worker) => worker.stopNow()));
    },
    async rows<Row>(text: string, values: readonly unknown[] = []) {
      client ??= await connect(url, (lost) => {
        if (client === lost) client = undefined;
      });
      return (await client.query(text, [...values])).rows as Row[];
    },
    async close() {
      await Promise.all(opened.map((each) => each.close()));
      await client?.end().catch(() => {});
    },
  };
}

async function connect(url: string, onLost: (client: pg.Client) => void = () => {}): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => onLost(client));
  client.on('end', () => onLost(client));
  await client.connect();
  return client;
}

/** A connection with an open transaction, as a caller's program has one. */
export async function openStranger(url: string): Promise<pg.Client & AsyncDisposable> {
  const client = await connect(url);
  await client.query('begin');
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() });
}

/** Looks again and again until there is something to see; for what nobody tells. */
export async function until<Seen>(
  what: string,
  look: () => Seen | Promise<Seen>,
  deadlineMs = 15_000,
): Promise<Exclude<Seen, false | null | undefined>> {
  const endMs = performance.now() + deadlineMs;
  for (;;) {
    const seen = await look();
    if (seen !== false && seen !== undefined && seen !== null) {
      return seen as Exclude<Seen, false | null | undefined>;
    }
    if (performance.now() > endMs) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export interface Gate {
  readonly opened: Promise<void>;
  open(): void;
}

/** Something to wait for that somebody else brings about. */
export function gate(): Gate {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}

/** Resolves when the next event of this name comes. */
export function eventOf(worker: Worker, name: keyof WorkerEvents): Promise<unknown> {
  return new Promise((resolve) => worker.once(name, (...facts: unknown[]) => resolve(facts[0])));
}
