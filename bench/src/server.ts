/** The PostgreSQL server of a run: private, in a directory of its own, durable, with default settings. */
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbedded } from 'lineshaft';
import pg from 'pg';
import { atEnd } from './cleanup.ts';
import { treeCpuSeconds } from './cpu.ts';

export interface PostgresServer {
  /** Version and every setting that differs from PostgreSQL's own default. */
  describe(): Promise<Record<string, string>>;
  /** Makes a database, empty or as a copy of another one, and returns its URL. */
  create(name: string, template?: string): Promise<string>;
  drop(name: string): Promise<void>;
  /** `analyze; checkpoint`, so that every system starts from the same point. */
  settle(url: string): Promise<void>;
  /** CPU seconds of the whole server since it started. */
  cpuSeconds(): number;
}

export async function openServer(): Promise<PostgresServer> {
  const directory = await mkdtemp(join(tmpdir(), 'lineshaft-bench-'));
  atEnd(() => rm(directory, { recursive: true, force: true }));
  // Root's server runs as somebody else, who has to get through.
  await chmod(directory, 0o755);
  const embedded = await openEmbedded({ directory });
  atEnd(() => embedded.release());
  const pid = await readPostmasterPid(embedded.dataDirectory);
  const admin = new pg.Pool({ connectionString: embedded.url, max: 1 });
  admin.on('error', () => {});
  atEnd(() => admin.end());
  return {
    describe: () => describe(admin),
    create: async (name, template) => {
      const copy = template === undefined ? '' : ` template "${template}" strategy file_copy`;
      await admin.query(`create database "${name}"${copy}`);
      // No URL object: it refuses the empty host of a unix socket's URL.
      return embedded.url.replace(/^([a-z]+:\/\/[^/]*)\/[^?]*/, `$1/${name}`);
    },
    drop: async (name) => {
      await admin.query(`drop database if exists "${name}" with (force)`);
    },
    settle,
    cpuSeconds: () => treeCpuSeconds(pid),
  };
}

async function settle(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query('analyze');
    await client.query('checkpoint');
  } finally {
    await client.end();
  }
}

async function describe(admin: pg.Pool): Promise<Record<string, string>> {
  const { rows } = await admin.query<{ name: string; setting: string }>(`
    select name, setting
    from pg_settings
    where name in ('server_version', 'fsync', 'synchronous_commit', 'shared_buffers', 'max_connections')
       or source in ('configuration file', 'command line')
    order by name`);
  return Object.fromEntries(rows.map((row) => [row.name, row.setting]));
}

async function readPostmasterPid(dataDirectory: string): Promise<number> {
  const text = await readFile(join(dataDirectory, 'postmaster.pid'), 'utf8');
  return Number(text.split('\n')[0]);
}
