/**
 * The data directory: where it is, that it is ours to use, and how a new one is made.
 *
 *     <folder>/.lineshaft/
 *       .gitignore            keeps all this out of repositories
 *       postgres/             the data (while they are made: postgres.new-XXXXXX/)
 *       postgres.elsewhere    only if the server can't reach the folder: the path of the data
 *       postgres.log, .log.1  what the server and its keeper say
 *       keeper.lock           held by the keeper for as long as it lives
 *       keeper.json           where the keeper listens
 */
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import type { Binaries } from './binaries.ts';
import { anotherUsers, EmbeddedError, systemCode, useAnotherDatabase } from './errors.ts';
import { canEnter, type Identity } from './identity.ts';

export interface Layout {
  /** The folder that holds `.lineshaft`. */
  readonly directory: string;
  readonly home: string;
  readonly log: string;
  readonly lock: string;
  readonly keeperFile: string;
  readonly pointer: string;
  /** What the pointer says, else the usual place. */
  readonly data: string;
}

const initdbLimitMs = 60_000;
// Roots of data that live elsewhere; both survive a restart of the machine.
const lastingRoots = ['/var/lib/lineshaft', '/var/tmp/lineshaft'];

/** Where everything of a folder is. Reads the pointer, changes nothing. */
export function layoutOf(directory: string): Layout {
  const home = join(directory, '.lineshaft');
  const pointer = join(home, 'postgres.elsewhere');
  return {
    directory,
    home,
    log: join(home, 'postgres.log'),
    lock: join(home, 'keeper.lock'),
    keeperFile: join(home, 'keeper.json'),
    pointer,
    data: readPointer(pointer) ?? join(home, 'postgres'),
  };
}

/** Makes `.lineshaft` if it is missing. */
export function makeHome(layout: Layout, identity: Identity | undefined): void {
  try {
    fs.mkdirSync(layout.home, { mode: 0o700 });
    // A server that runs as another user has to walk through; it need not list.
    if (identity !== undefined) fs.chmodSync(layout.home, 0o711);
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return;
    throw new EmbeddedError('EMBEDDED_DATA_UNUSABLE', {
      message: `${layout.home} can't be made (${systemCode(error)}); ${useAnotherDatabase}`,
      details: { path: layout.home },
      cause: error,
    });
  }
  fs.writeFileSync(join(layout.home, '.gitignore'), '*\n');
}

/** The layout with the data where the server can reach them; leaves a pointer if that is elsewhere. */
export function placeData(layout: Layout, identity: Identity | undefined): Layout {
  const parent = dirname(layout.data);
  const pointed = parent !== layout.home;
  if (pointed && !fs.existsSync(parent)) {
    throw new EmbeddedError('EMBEDDED_DATA_UNUSABLE', {
      message:
        `${layout.pointer} says that the data are in ${layout.data}, and that folder is gone; ` +
        'bring it back, or remove the pointer file to start with an empty database',
      details: { pointer: layout.pointer, path: layout.data },
    });
  }
  if (pointed || fs.existsSync(layout.data)) return layout;
  if (identity === undefined || canEnter(layout.home, identity)) return layout;
  const place = fs.mkdtempSync(
    join(elsewhereRoot(layout.directory), `${basename(layout.directory).replace(/[^\w.-]/g, '_')}-`),
  );
  fs.chmodSync(place, 0o711);
  const data = join(place, 'postgres');
  writeDurably(layout.pointer, `${data}\n`);
  return { ...layout, data };
}

/** Whether there are data; throws if what is there is not for this version. */
export function checkData(data: string, binaries: Binaries): boolean {
  let found: string;
  try {
    found = fs.readFileSync(join(data, 'PG_VERSION'), 'utf8').trim();
  } catch (error) {
    if (systemCode(error) === 'EACCES') throw anotherUsers(data, error);
    if (systemCode(error) !== 'ENOENT') throw error;
    if (!fs.existsSync(data) || fs.readdirSync(data).length === 0) return false;
    throw new EmbeddedError('EMBEDDED_DATA_UNUSABLE', {
      message: `${data} is no PostgreSQL data directory; move it away, or ${useAnotherDatabase}`,
      details: { path: data },
      cause: error,
    });
  }
  if (Number(found) === binaries.majorVersion) return true;
  throw new EmbeddedError('EMBEDDED_WRONG_VERSION', {
    message:
      `the data in ${data} were made by PostgreSQL ${found}, and this version brings PostgreSQL ` +
      `${binaries.majorVersion}; nothing was changed. Move that folder away to start empty, move its data ` +
      `with pg_dump of a PostgreSQL ${found} server, or ${useAnotherDatabase}`,
    details: { path: data, found: Number(found), expected: binaries.majorVersion },
  });
}

/**
 * Makes a new data directory with the database `lineshaft`. It appears under its name when all of it is on
 * disk, so that a command that dies half-way leaves nothing that looks like data.
 */
export async function createData(
  data: string,
  binaries: Binaries,
  identity: Identity | undefined,
): Promise<void> {
  const parent = dirname(data);
  removeUnfinished(data);
  // A name of its own: an initdb whose keeper was killed may still be writing into the other one.
  const staging = fs.mkdtempSync(unfinishedPath(data));
  if (identity !== undefined) fs.chownSync(staging, identity.uid, identity.gid);
  // Order by bytes, upper and lower case by Unicode: the same on every machine, whatever its locales.
  const locale = ['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--encoding=UTF8'];
  const other = ['--username=lineshaft', '--auth=trust', '--no-instructions'];
  await run(binaries.initdb, ['-D', staging, ...locale, ...other], '', identity);
  // Without a server: it ends with a checkpoint, so the database is on disk before the data get their name.
  const single = ['--single', '-D', staging, '-c', 'log_checkpoints=off', 'postgres'];
  await run(binaries.postgres, single, 'create database lineshaft;\n', identity);
  if (fs.existsSync(data)) fs.rmdirSync(data);
  fs.renameSync(staging, data);
  syncFolder(parent);
  removeUnfinished(data);
}

/**
 * Removes what keepers left that were killed while they made the data. An initdb that had only just been started
 * makes its folder again if it was removed before it looked: so this is called before and after, and at each start.
 */
export function removeUnfinished(data: string): void {
  const parent = dirname(data);
  const prefix = basename(unfinishedPath(data));
  for (const name of fs.readdirSync(parent).filter((name) => name.startsWith(prefix))) {
    fs.rmSync(join(parent, name), { recursive: true, force: true, maxRetries: 5 });
  }
}

function unfinishedPath(data: string): string {
  return join(dirname(data), `${basename(data)}.new-`);
}

/** The environment of all PostgreSQL programs: nothing of the caller's `PG…` variables reaches them. */
export const serverEnvironment = { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };

function run(program: string, args: string[], input: string, identity: Identity | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      ...identity,
      cwd: '/',
      env: serverEnvironment,
      timeout: initdbLimitMs,
    });
    let said = '';
    const listen = (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-2000);
    };
    child.stdout.on('data', listen);
    child.stderr.on('data', listen);
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    const fail = (reason: string, cause?: unknown) =>
      reject(
        new EmbeddedError('EMBEDDED_UNAVAILABLE', {
          message: `${basename(program)} could not make a database: ${reason}; ${useAnotherDatabase}`,
          cause,
        }),
      );
    child.on('error', (error) => fail(error.message, error));
    child.on('close', (code, killedBy) => {
      // The single-user server ends with 0 even if its command failed.
      if (code === 0 && !/\b(ERROR|FATAL|PANIC): /.test(said)) resolve();
      else if (killedBy !== null) fail(`it was ended by ${killedBy} (limit ${initdbLimitMs / 1000} s)`);
      else if (said.includes('user does not exist'))
        fail('this user id has no entry in /etc/passwd, add one');
      else fail(said.trim());
    });
  });
}

function readPointer(path: string): string | undefined {
  try {
    return fs.readFileSync(path, 'utf8').trim();
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw systemCode(error) === 'EACCES' ? anotherUsers(path, error) : error;
  }
}

function elsewhereRoot(directory: string): string {
  const temporary = fs.realpathSync(tmpdir());
  // The data of a temporary folder need not outlive it.
  if (directory.startsWith(`${temporary}/`)) return temporary;
  for (const root of lastingRoots) {
    try {
      // Only a folder that we made: whoever made the other one is looked at below.
      if (fs.mkdirSync(root, { recursive: true }) !== undefined) fs.chmodSync(root, 0o755);
    } catch {
      continue;
    }
    const { uid, mode } = fs.lstatSync(root);
    if (uid === process.geteuid?.() && (mode & 0o022) === 0) return root;
  }
  throw new EmbeddedError('EMBEDDED_DATA_UNUSABLE', {
    message:
      'PostgreSQL does not run as root, and the user it runs as can reach neither this folder nor ' +
      `${lastingRoots.join(' or ')}; choose another folder, or ${useAnotherDatabase}`,
  });
}

function writeDurably(path: string, text: string): void {
  fs.writeFileSync(path, text, { flush: true });
  syncFolder(dirname(path));
}

function syncFolder(folder: string): void {
  const handle = fs.openSync(folder, 'r');
  fs.fsyncSync(handle);
  fs.closeSync(handle);
}
