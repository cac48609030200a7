/** Gives each measurement a store of its own: a fresh database, or a Redis that has forgotten everything. */
import { openRedis, type RedisServer } from './redis.ts';
import { openServer, type PostgresServer } from './server.ts';
import type { SystemEntry } from './systems/catalog.ts';

export interface OpenStore {
  /** What `Stores.open` takes to make a copy. */
  readonly name: string;
  readonly url: string;
  /** Brings the store to rest before something is timed. */
  settle(): Promise<void>;
  cpuSeconds(): number;
  drop(): Promise<void>;
}

export class Stores {
  #postgres: Promise<PostgresServer> | undefined;
  readonly #redis = new Map<string, Promise<RedisServer>>();
  readonly #describe: (what: string, settings: Record<string, unknown>) => void;
  #count = 0;

  constructor(describe: (what: string, settings: Record<string, unknown>) => void) {
    this.#describe = describe;
  }

  /** @param template the name of a database to copy, to which nobody is connected */
  async open(system: SystemEntry, template?: string): Promise<OpenStore> {
    if (system.store !== 'postgres') return this.#openRedisStore(system);
    const server = await this.postgres();
    const name = `bench_${++this.#count}`;
    const url = await server.create(name, template);
    return {
      name,
      url,
      settle: () => server.settle(url),
      cpuSeconds: () => server.cpuSeconds(),
      drop: () => server.drop(name),
    };
  }

  postgres(): Promise<PostgresServer> {
    this.#postgres ??= openServer().then(async (server) => {
      this.#describe('PostgreSQL', await server.describe());
      return server;
    });
    return this.#postgres;
  }

  async #openRedisStore(system: SystemEntry): Promise<OpenStore> {
    const mode = system.store === 'redis-always' ? 'always' : 'everysec';
    const opening = this.#redis.get(mode) ?? openRedis(mode);
    if (!this.#redis.has(mode)) {
      this.#redis.set(mode, opening);
      this.#describe(`Redis (${mode})`, await (await opening).describe());
    }
    const server = await opening;
    await server.clear();
    return {
      name: system.store,
      url: server.socket,
      settle: async () => {},
      cpuSeconds: () => server.cpuSeconds(),
      drop: () => server.clear(),
    };
  }
}
