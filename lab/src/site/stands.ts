/** Databases for labs, and the ways to them: direct, through proxies that go silent, on a small volume. */
import { createDatabase, startServer, type TestServer } from '../../../packages/core/src/testing/server.ts';
import type { Stand } from '../lab.ts';
import { SilentProxy } from './proxy.ts';
import { SmallVolume, sizeMiB } from './small-volume.ts';

export interface ServerStand extends Stand {
  readonly server: TestServer;
}

export interface ProxiedStand extends ServerStand {
  /** By place. */
  readonly proxies: ReadonlyMap<string, SilentProxy>;
}

export interface VolumeStand extends ServerStand {
  readonly volume: SmallVolume;
}

/** One server; even seeds have the embedded PostgreSQL 18, odd ones Debian's 15. */
export async function openServerStand(stack: AsyncDisposableStack, seed: number): Promise<ServerStand> {
  const server = await startServer(seed % 2 === 0 ? 18 : 15);
  stack.defer(() => server.stop());
  return { ...direct(await createDatabase(server)), server, about: `PostgreSQL ${server.version}` };
}

/** The same, with a proxy for each place. */
export async function openProxiedStand(
  stack: AsyncDisposableStack,
  seed: number,
  places: readonly string[],
): Promise<ProxiedStand> {
  return await withProxies(stack, await openServerStand(stack, seed), places);
}

/** A server on a volume of its own. */
export async function openVolumeStand(stack: AsyncDisposableStack, seed: number): Promise<VolumeStand> {
  let volume: SmallVolume | undefined;
  const server = await startServer(seed % 2 === 0 ? 18 : 15, {
    // Small files of the log that are made when they are needed, so that a full volume is felt there too.
    settings: { wal_recycle: 'off', wal_init_zero: 'on', min_wal_size: '32MB', max_wal_size: '64MB' },
    prepareFolder: (folder) => {
      volume = new SmallVolume(folder);
    },
  });
  const mounted = volume;
  if (mounted === undefined) throw new TypeError('the server has prepared no folder');
  stack.defer(async () => {
    mounted.makeRoom();
    await server.kill();
    mounted.release();
    await server.stop();
  });
  return {
    ...direct(await createDatabase(server)),
    server,
    volume: mounted,
    about: `PostgreSQL ${server.version} on a volume of ${sizeMiB} MiB`,
  };
}

export async function withProxies<Given extends Stand>(
  stack: AsyncDisposableStack,
  stand: Given,
  places: readonly string[],
): Promise<Given & { readonly proxies: ReadonlyMap<string, SilentProxy> }> {
  const proxies = new Map<string, SilentProxy>();
  for (const place of places) {
    const proxy = await SilentProxy.start(stand.url);
    stack.use(proxy);
    proxies.set(place, proxy);
  }
  const urlOf = (place: string): string => proxies.get(place)?.url ?? stand.url;
  return { ...stand, proxies, urlOf, about: `${stand.about}, behind a proxy for each process` };
}

function direct(url: string): { readonly url: string; urlOf(): string } {
  return { url, urlOf: () => url };
}
