/** Brings in what the chosen systems need and nothing else: npm packages, Redis, a Python environment. */
import { type SpawnOptions, spawn } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { benchDirectory, repositoryDirectory, venvDirectory, venvPython } from './paths.ts';
import { findSystem } from './systems/catalog.ts';

const compiler = join(repositoryDirectory, 'node_modules/typescript7/bin/tsc');
/** psycopg's C implementation is the faster one; Chancy runs on either. */
const CHANCY = ['chancy==0.26.*', 'psycopg[binary]'];

export async function setUp(systemNames: readonly string[]): Promise<void> {
  const systems = systemNames.map(findSystem);
  // Not `npm ci`: it refuses a lock file without the optional packages that a registry does not have.
  const install = ['install', '--no-save', '--no-audit', '--no-fund'];
  if (!packagesAreCurrent()) await run('npm', install, { cwd: benchDirectory });
  await run(process.execPath, [compiler, '-p', benchDirectory], {}, true);
  if (systems.some((system) => system.store.startsWith('redis'))) await installRedis();
  if (systems.some((system) => system.runtime === 'python')) await installChancy();
}

/** npm writes the second file whenever it has installed what the first one says. */
function packagesAreCurrent(): boolean {
  const installed = join(benchDirectory, 'node_modules', '.package-lock.json');
  const wanted = join(benchDirectory, 'package-lock.json');
  return existsSync(installed) && statSync(installed).mtimeMs >= statSync(wanted).mtimeMs;
}

async function installRedis(): Promise<void> {
  if (await succeeds('redis-server', ['--version'])) return;
  const asRoot = process.getuid?.() === 0 ? [] : ['sudo'];
  // With RUNLEVEL=1 the package starts no server of its own.
  const install = [...asRoot, 'env', 'DEBIAN_FRONTEND=noninteractive', 'RUNLEVEL=1', 'apt-get'];
  const [program, ...args] = install;
  await run(program ?? 'apt-get', [...args, 'update', '-q']);
  await run(program ?? 'apt-get', [
    ...args,
    'install',
    '-y',
    '-q',
    '--no-install-recommends',
    'redis-server',
  ]);
}

async function installChancy(): Promise<void> {
  if (await succeeds(venvPython, ['-c', 'import chancy, psycopg_binary'])) return;
  await run('python3', ['-m', 'venv', venvDirectory]);
  await run(venvPython, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...CHANCY]);
}

async function succeeds(program: string, args: string[]): Promise<boolean> {
  return run(program, args, { stdio: 'ignore' }, true).then(
    () => true,
    () => false,
  );
}

/** What the program prints goes to standard error: standard output belongs to the results. */
async function run(
  program: string,
  args: string[],
  options: SpawnOptions = {},
  quiet = false,
): Promise<void> {
  if (!quiet) process.stderr.write(`set-up: ${program} ${args.join(' ')}\n`);
  const child = spawn(program, args, { stdio: ['ignore', 2, 2], ...options });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', resolve);
  });
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${code}`);
}
