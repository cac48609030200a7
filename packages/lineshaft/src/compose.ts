/**
 * Where everything is wired together: makes what the commands work with. Loaded by the first command that
 * needs it.
 */

import { type Kinds, Lineshaft, type Log, type Plugin, silentLog } from '@lineshaft/core';
import type { Data } from './data.ts';
import {
  chooseDatabase,
  chooseEmbedded,
  chooseSchema,
  type DatabaseFlags,
  withoutPassword,
} from './database-choice.ts';
import type { EmbeddedServer } from './embedded/embedded.ts';
import type { Host } from './host.ts';
import { Progress } from './output/progress.ts';

export interface OpenOptions {
  /** The database of this folder, whatever else the environment names. */
  readonly embedded?: boolean;
  /** Start the embedded database also where the folder has none yet. */
  readonly create?: boolean;
  readonly log?: Log;
  readonly kinds?: Kinds;
  readonly plugins?: readonly Plugin[];
  /** Built-in services that are switched off. */
  readonly without?: readonly string[];
  readonly build?: string;
  /** Another schema than the flags name. */
  readonly schema?: string;
  /** Shown in `pg_stat_activity`. */
  readonly applicationName?: string;
}

/** An open database, and what must be known to start workers on it. */
export interface OpenDatabase {
  readonly data: Data;
  readonly lineshaft: Lineshaft;
  readonly url: string;
  /** For people: without password. */
  readonly where: string;
  readonly embedded: EmbeddedServer | undefined;
  close(): Promise<void>;
}

/**
 * Opens the database that the flags, the environment or the folder name. Nothing is connected before the
 * first call.
 */
export async function openDatabase(
  flags: DatabaseFlags,
  host: Host,
  options: OpenOptions = {},
): Promise<OpenDatabase> {
  const choice = options.embedded ? chooseEmbedded(flags, host) : chooseDatabase(flags, host, options.create);
  const embedded = choice.type === 'embedded' ? await startEmbedded(choice.directory, host) : undefined;
  const url = choice.type === 'url' ? choice.url : (embedded?.url ?? '');
  const schema = options.schema ?? chooseSchema(flags, host.env);
  const lineshaft = new Lineshaft({
    databaseUrl: url,
    log: options.log ?? silentLog,
    applicationName: options.applicationName ?? 'lineshaft command',
    ...(schema === undefined ? {} : { schema }),
    ...(options.kinds === undefined ? {} : { kinds: options.kinds as Kinds<Record<string, unknown>> }),
    ...(options.plugins === undefined ? {} : { plugins: options.plugins }),
    ...(options.without === undefined ? {} : { without: options.without }),
    ...(options.build === undefined ? {} : { build: options.build }),
  });
  return {
    data: lineshaft,
    lineshaft,
    url,
    where:
      embedded === undefined
        ? withoutPassword(url)
        : `PostgreSQL ${embedded.majorVersion}, embedded in .lineshaft/`,
    embedded,
    close: async () => {
      await lineshaft.close();
      await embedded?.release();
    },
  };
}

/** A server that listens, and the worker beside it that runs the services of the installation. */
export interface Serving {
  readonly url: string;
  readonly port: number;
  /** Whether callers must have a key. */
  readonly demandsKey: boolean;
  /** Long polls are answered at once, requests may finish, then the services stop. */
  stop(): Promise<void>;
  stopNow(): Promise<void>;
}

/**
 * Serves an open database over HTTP, and runs its services and the steps that need no handler of the user's in the same
 * process, so that one process is a whole installation.
 */
export async function serve(
  { lineshaft }: Pick<OpenDatabase, 'lineshaft'>,
  options: { readonly host?: string; readonly port?: number; readonly log: Log },
): Promise<Serving> {
  const { createServer } = await import('@lineshaft/server');
  const worker = lineshaft.worker({ name: 'server', handlers: {}, signals: false, compactHeap: false });
  const { workflows } = lineshaft;
  const server = createServer({ lineshaft, workflows, worker, ...options });
  const { url, port } = await server.listen();
  const stopNow = async (): Promise<void> => {
    await Promise.all([server.stopNow(), worker.stopNow()]);
  };
  let demandsKey: boolean;
  try {
    await worker.start();
    demandsKey = await server.demandsKey();
  } catch (error) {
    // The database may go at any moment: nothing may stay behind that keeps the process alive without a server.
    await stopNow();
    throw error;
  }
  return {
    url,
    port,
    demandsKey,
    stop: async () => {
      await server.stop();
      await worker.stop();
    },
    stopNow,
  };
}

async function startEmbedded(directory: string, host: Host): Promise<EmbeddedServer> {
  const { openEmbedded } = await import('./embedded/embedded.ts');
  const progress = new Progress(host, 'starting PostgreSQL');
  try {
    return await openEmbedded({ directory });
  } finally {
    progress.end();
  }
}
