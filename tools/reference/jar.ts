/** The reference server's program: fetched from Maven Central by its pinned coordinates, checked, unpacked. */
import { createHash } from 'node:crypto';
import { createReadStream, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { installDebianPackages } from '../debian.ts';
import { cached, cacheFolder } from './cache.ts';
import { conductorServer, dependencyPlugin } from './pins.ts';
import { run, succeeds } from './run.ts';

/**
 * The path of the server's jar, with its libraries beside it (it starts faster than from one file). The first time
 * this fetches 460 MB.
 */
export async function findConductorServer(java: string): Promise<string> {
  const { version, artifact, file, sha256 } = conductorServer;
  const folder = await cached(`conductor-server-${version}`, async (target) => {
    process.stderr.write(`set-up: fetching ${artifact} (once, 460 MB)\n`);
    const repository = join(cacheFolder(), `maven-${process.pid}`);
    try {
      await maven(`-Dmaven.repo.local=${repository}`, '-Dtransitive=false', `-Dartifact=${artifact}`);
      const jar = join(repository, 'org/conductoross/conductor-server', version, file);
      const found = await fileSha256(jar);
      if (found !== sha256) throw new Error(`${artifact} has the SHA-256 ${found}, not ${sha256}`);
      await run(java, ['-Djarmode=tools', '-jar', jar, 'extract', '--force', '--destination', target]);
    } finally {
      rmSync(repository, { recursive: true, force: true });
    }
  });
  return join(folder, file);
}

async function maven(...parameters: readonly string[]): Promise<void> {
  if (!succeeds('mvn', '--version')) installDebianPackages(['maven']);
  await run('mvn', ['--quiet', '--batch-mode', `${dependencyPlugin}:get`, ...parameters]);
}

async function fileSha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}
