/** A private Redis server (Debian's) on a unix socket, with its append-only file synced as asked. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { atEnd } from './cleanup.ts';
import { treeCpuSeconds } from './cpu.ts';

type AppendFsync = 'everysec' | 'always';

export interface RedisServer {
  readonly socket: string;
  describe(): Promise<Record<string, string>>;
  /** Forgets everything. */
  clear(): Promise<void>;
  cpuSeconds(): number;
}

export async function openRedis(appendFsync: AppendFsync): Promise<RedisServer> {
  const directory = await mkdtemp(join(tmpdir(), 'lineshaft-redis-'));
  atEnd(() => rm(directory, { recursive: true, force: true }));
  const socket = join(directory, 'redis.sock');
  const options = {
    port: '0',
    unixsocket: socket,
    dir: directory,
    appendonly: 'yes',
    appendfsync: appendFsync,
    save: '',
    // BullMQ demands it.
    'maxmemory-policy': 'noeviction',
  };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
  const server = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const exited = new Promise<void>((resolve) => server.once('exit', () => resolve()));
  atEnd(async () => {
    server.kill('SIGTERM');
    await exited;
  });
  await saysReady(server);
  const client = new Redis({ path: socket, lazyConnect: true, retryStrategy: () => null });
  client.on('error', () => {});
  await client.connect();
  atEnd(() => client.disconnect());
  return {
    socket,
    describe: async () => {
      const version = /redis_version:(\S+)/.exec(await client.info('server'))?.[1] ?? 'unknown';
      const { unixsocket: _socket, dir: _directory, ...settings } = options;
      return { redis_version: version, ...settings };
    },
    clear: async () => {
      await client.flushall('SYNC');
    },
    cpuSeconds: () => treeCpuSeconds(server.pid ?? 0),
  };
}

function saysReady(server: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = '';
    server.once('error', reject);
    server.stdout?.on('data', (chunk: Buffer) => {
      if (text.length < 20_000) text += chunk.toString();
      if (/ready to accept connections/i.test(text)) resolve();
    });
    server.stdout?.on('end', () => reject(new Error(`Redis did not start:\n${text}`)));
  });
}
