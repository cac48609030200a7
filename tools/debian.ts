/** Installs Debian packages, where tests and benches need programs that are not there. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** Installs packages by apt, as root or by sudo; throws with what to do by hand where that is not possible. */
export function installDebianPackages(packages: readonly string[]): void {
  if (packages.length === 0) return;
  const byHand =
    `install ${packages.join(' and ')} by hand (PostgreSQL for other systems and releases: ` +
    'apt.postgresql.org) and try again';
  if (!existsSync('/usr/bin/apt-get')) throw new Error(`this system has no apt-get; ${byHand}`);
  // Runlevel 1: what is installed shall not start, a server on the standard port is nobody's wish here.
  const environment = ['env', 'DEBIAN_FRONTEND=noninteractive', 'RUNLEVEL=1'];
  const prefix = process.geteuid?.() === 0 ? environment : ['sudo', '-n', ...environment];
  process.stderr.write(`set-up: installing ${packages.join(', ')} with apt-get\n`);
  const install = ['apt-get', 'install', '-y', '-q', '--no-install-recommends', ...packages];
  if (apt([...prefix, ...install])) return;
  // Lists that are missing or old: get them and try again.
  if (apt([...prefix, 'apt-get', 'update', '-q']) && apt([...prefix, ...install])) return;
  throw new Error(`apt-get could not install them; ${byHand}`);
}

function apt([program = '', ...parameters]: string[]): boolean {
  // Its output is for people; standard output belongs to the tests.
  const { status } = spawnSync(program, parameters, { stdio: ['ignore', 2, 2] });
  return status === 0;
}
