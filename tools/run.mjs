/**
 * `npm run demo`, `npm test`, `npm run bench` and the like: does what is missing of the set-up (dependencies,
 * Node 24, build) and then runs the command on Node 24. Plain JavaScript, because it is run by whatever Node the
 * machine has. Everything it says goes to standard error.
 */

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bin = join(root, 'node_modules', '.bin');
/** In the order in which they need each other. */
const packages = ['core', 'server', 'lineshaft'];
const [command = '', ...args] = process.argv.slice(2);

const commands = {
  build: [],
  demo: [['node', join(root, 'examples/demo/demo.ts'), ...args]],
  test: [
    ['node', join(root, 'tools/setup-test.ts')],
    ['node', join(root, 'node_modules/vitest/vitest.mjs'), 'run', ...args],
  ],
  bench: [['node', join(root, 'bench/src/main.ts'), ...args]],
  lab: [
    ['node', join(root, 'tools/setup-test.ts')],
    ['node', join(root, 'lab/src/main.ts'), ...args],
  ],
  lint: [
    ['biome', 'check', '.'],
    ['depcruise', ...packages.map((name) => `packages/${name}/src`), '--config', '.dependency-cruiser.cjs'],
    ['knip'],
  ],
};

const steps = commands[command];
if (steps === undefined) {
  console.error(`usage: node tools/run.mjs ${Object.keys(commands).join('|')} [arguments]`);
  process.exit(2);
}
install();
const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH ?? ''}` };
build();
for (const [program = '', ...rest] of steps) {
  const code = await run(program, rest);
  if (code !== 0) process.exit(code);
}

/** Installs the dependencies if they are missing, or older than the lock file. */
function install() {
  const installed = join(root, 'node_modules/.package-lock.json');
  const lock = join(root, 'package-lock.json');
  const current =
    existsSync(installed) &&
    existsSync(join(bin, 'node')) &&
    statSync(installed).mtimeMs >= statSync(lock).mtimeMs - 1;
  if (current || sameAsInstalled(lock, installed)) return;
  console.error('installing dependencies (once) ...');
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  // Not `npm ci`: it refuses a lock file without the optional packages of platforms that a registry does not have.
  const how = ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error'];
  // Dependencies are wanted whole, also where the environment speaks of production.
  const result = spawnSync(npm, [...how, '--include=dev'], { cwd: root, stdio: ['ignore', 2, 2] });
  if (result.status !== 0) {
    console.error('npm install failed; its output above tells why');
    process.exit(result.status ?? 1);
  }
}

/** A fresh check-out has a newer lock file than an install of the same content. */
function sameAsInstalled(lock, installed) {
  if (!existsSync(installed) || !existsSync(join(bin, 'node'))) return false;
  const wanted = JSON.parse(readFileSync(lock, 'utf8')).packages;
  const present = JSON.parse(readFileSync(installed, 'utf8')).packages;
  return (
    Object.entries(present).every(([path, entry]) => entry.link || wanted[path]?.version === entry.version) &&
    Object.entries(wanted).every(
      ([path, entry]) => path === '' || entry.link || entry.optional || !entry.version || present[path],
    )
  );
}

/** Writes the generated sources and compiles; takes no time when nothing changed. */
function build() {
  for (const [program, ...rest] of [
    ['node', join(root, 'tools/generate-statements.ts')],
    // TypeScript 7 compiles in a second; tools that need the compiler's API have version 5 beside it.
    [
      'node',
      join(root, 'node_modules/typescript7/bin/tsc'),
      '-b',
      ...packages.map((name) => `packages/${name}`),
    ],
  ]) {
    const result = spawnSync(join(bin, program), rest, { cwd: root, env, stdio: ['ignore', 2, 2] });
    if (result.status !== 0) process.exit(result.status ?? 1);
  }
}

/** Runs a program with our terminal; signals reach it because it is in our process group. */
function run(program, rest) {
  return new Promise((resolve) => {
    const child = spawn(realpathSync(join(bin, program)), rest, { cwd: root, env, stdio: 'inherit' });
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
    child.on('error', (error) => {
      console.error(`${program}: ${error.message}`);
      resolve(1);
    });
    child.on('close', (code, signal) => resolve(code ?? (signal === null ? 1 : 130)));
  });
}
