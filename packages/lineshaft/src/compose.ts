/**
 * Where everything is wired together: makes what the commands work with. Loaded by the first command that
 * needs it.
 */

import { type Kinds, Lineshaft, type Log, type Plugin, silentLog } from '@lineshaft/core';
import type { Data } from './data.ts';
import { chooseDatabase, chooseSchema, type DatabaseFlags, withoutPassword } from './database-choice.ts';
import type { EmbeddedServer } from './embedded/embedded.ts';
import type { Host } from './host.ts';
import { Progress } from './output/progress.ts';

export interface OpenOptions {
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
  const choice = chooseDatabase(flags, host, options.create);
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

async function startEmbedded(directory: string, host: Host): Promise<EmbeddedServer> {
  const { openEmbedded } = await import('./embedded/embedded.ts');
  const progress = new Progress(host, 'starting PostgreSQL');
  try {
    return await openEmbedded({ directory });
  } finally {
    progress.end();
  }
}
