import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { controlPath, readKeeperFile } from './control.ts';
import { layoutOf } from './data-directory.ts';
import { type EmbeddedServer, openEmbedded } from './embedded.ts';
import { clusterName, isAlive, serverProcesses, waitUntil } from './processes.ts';
import { readPostmasterFile } from './server.ts';

let template = '';
const folders: string[] = [];
const servers: EmbeddedServer[] = [];
const children: ChildProcess[] = [];

// Making a database takes a second; most tests begin with a copy of the one that the first test made.
beforeAll(() => {
  template = fs.mkdtempSync(join(tmpdir(), 'lineshaft-template-'));
});
afterAll(() => fs.rmSync(template, { recursive: true, force: true }));

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await Promise.all(servers.splice(0).map((server) => server.release()));
  for (const folder of folders.splice(0)) {
    await waitUntil(() => processesOf(folder).length === 0, 10_000);
    fs.rmSync(folder, { recursive: true, force: true });
  }
});

/** A folder with blanks in its path that another user may enter, as project folders are. */
function makeFolder({ empty = false } = {}): string {
  const folder = fs.mkdtempSync(join(fs.realpathSync(tmpdir()), 'line shaft '));
  if (!empty) copyWithOwners(template, folder);
  fs.chmodSync(folder, 0o755);
  folders.push(folder);
  return folder;
}

const copyWithOwners = (from: string, to: string) => spawnSync('cp', ['-a', `${from}/.`, to]);

async function open(directory: string, log?: (line: string) => void): Promise<EmbeddedServer> {
  const server = await openEmbedded(log === undefined ? { directory } : { directory, log });
  servers.push(server);
  return server;
}

async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

async function answers(url: string): Promise<boolean> {
  return query(url, 'select 1').then(
    () => true,
    () => false,
  );
}

/** Another process that opens the server, and releases it when its input ends. */
function startUser(directory: string): { child: ChildProcess; opened: Promise<EmbeddedServer> } {
  const module = JSON.stringify(new URL('./embedded.ts', import.meta.url).href);
  const program = `import { openEmbedded } from ${module};
    const server = await openEmbedded({ directory: process.argv[1] });
    console.log(JSON.stringify(server));
    for await (const _ of process.stdin);
    await server.release();`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program, directory], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  children.push(child);
  const lines = createInterface({ input: child.stdout });
  return { child, opened: once(lines, 'line').then(([line]) => JSON.parse(String(line)) as EmbeddedServer) };
}

async function kill(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}

const processesOf = (folder: string) => serverProcesses(clusterName(layoutOf(folder).data));

function serverPid(folder: string): number {
  const found = readPostmasterFile(layoutOf(folder).data);
  if (found === undefined) throw new Error('no server runs');
  return found.pid;
}

function keeperPid(folder: string): number {
  return (JSON.parse(fs.readFileSync(layoutOf(folder).keeperFile, 'utf8')) as { pid: number }).pid;
}

test('a new folder gets a durable server of its own that listens on a private socket only', async () => {
  const folder = makeFolder({ empty: true });
  const server = await open(folder);
  expect(server).toMatchObject({ majorVersion: 18, started: true });
  expect(server.dataDirectory).toBe(join(folder, '.lineshaft', 'postgres'));
  const [row] = await query(
    server.url,
    `select current_user as "user", current_database() as database, pg_encoding_to_char(encoding) as encoding,
       current_setting('listen_addresses') as tcp, current_setting('fsync') as fsync,
       current_setting('synchronous_commit') as commit, current_setting('full_page_writes') as pages,
       'a' > 'B' as byte_order, upper('é') as upper
     from pg_database where datname = current_database()`,
  );
  expect(row).toEqual({
    user: 'lineshaft',
    database: 'lineshaft',
    encoding: 'UTF8',
    tcp: '',
    fsync: 'on',
    commit: 'on',
    pages: 'on',
    byte_order: true,
    upper: 'É',
  });
  const sockets = new URL(server.url.replace('@/', '@host/')).searchParams.get('host') ?? '';
  expect(sockets.length).toBeLessThan(80);
  expect(fs.statSync(sockets).mode & 0o777).toBe(0o700);
  expect(fs.statSync(server.dataDirectory).mode & 0o777).toBe(0o700);
  await server.release();
  copyWithOwners(folder, template);
});

test('the last release stops the server and leaves no process and no socket folder', async () => {
  const folder = makeFolder();
  const first = await open(folder);
  const second = await open(folder);
  expect([first.started, second.started, first.url === second.url]).toEqual([true, false, true]);
  const { socketDirectory = '' } = readKeeperFile(layoutOf(folder).keeperFile) ?? {};
  const keeper = keeperPid(folder);
  await first.release();
  await first.release();
  expect(await answers(second.url)).toBe(true);
  await second.release();
  expect(processesOf(folder)).toEqual([]);
  expect(fs.existsSync(socketDirectory)).toBe(false);
  expect(await waitUntil(() => !isAlive(keeper), 10_000)).toBe(true);
});

test('data survive a stop, and a start right behind a stop waits for it', async () => {
  const folder = makeFolder();
  const first = await open(folder);
  await query(first.url, 'create table kept as select 42 as answer');
  const stopped = first.release();
  const second = await open(folder);
  await stopped;
  expect(await query(second.url, 'select answer from kept')).toEqual([{ answer: 42 }]);
});

test('the port of the environment does not lead a client elsewhere', async () => {
  const server = await open(makeFolder());
  vi.stubEnv('PGPORT', '1');
  expect(await answers(server.url)).toBe(true);
  vi.unstubAllEnvs();
});

test('commands started at the same moment share one server, which outlives its starter', async () => {
  const folder = makeFolder();
  const users = [startUser(folder), startUser(folder), startUser(folder)];
  const opened = await Promise.all(users.map((user) => user.opened));
  expect(opened.filter((server) => server.started)).toHaveLength(1);
  expect(new Set(opened.map((server) => server.url)).size).toBe(1);
  const starter = users[opened.findIndex((server) => server.started)];
  if (starter === undefined) throw new Error('nobody started it');
  const pid = serverPid(folder);
  await kill(starter.child);
  expect(await answers(opened[0]?.url ?? '')).toBe(true);
  expect(serverPid(folder)).toBe(pid);
  for (const user of users) user.child.kill('SIGKILL');
  expect(await waitUntil(() => processesOf(folder).length === 0, 10_000)).toBe(true);
});

test('a command that ends without a release does not keep the server', async () => {
  const folder = makeFolder();
  const user = startUser(folder);
  await user.opened;
  user.child.stdin?.end();
  const [code] = await once(user.child, 'exit');
  expect(code).toBe(0);
  expect(processesOf(folder)).toEqual([]);
});

test('a server that is killed comes back at the same address with all committed rows', async () => {
  const folder = makeFolder();
  const said: string[] = [];
  const server = await open(folder, (line) => said.push(line));
  await query(server.url, 'create table kept as select 1 as row');
  const killed = serverPid(folder);
  process.kill(killed, 'SIGKILL');
  const isBack = async () => !processesOf(folder).includes(killed) && (await answers(server.url));
  expect(await waitUntil(isBack, 15_000)).toBe(true);
  expect(await query(server.url, 'select * from kept')).toEqual([{ row: 1 }]);
  expect(said).toContain('the server died, it is started again');
});

test('a killed keeper is replaced by its users without disturbing the server', async () => {
  const folder = makeFolder();
  const server = await open(folder);
  const [keeper, postmaster] = [keeperPid(folder), serverPid(folder)];
  process.kill(keeper, 'SIGKILL');
  expect(await waitUntil(() => keeperPid(folder) !== keeper, 10_000)).toBe(true);
  const late = await open(folder);
  expect([late.started, late.url, serverPid(folder)]).toEqual([false, server.url, postmaster]);
  await late.release();
  await server.release();
  expect(await waitUntil(() => processesOf(folder).length === 0, 10_000)).toBe(true);
});

test('a keeper that is asked to end while there are users is followed by another', async () => {
  const folder = makeFolder();
  const server = await open(folder);
  const keeper = keeperPid(folder);
  process.kill(keeper, 'SIGTERM');
  expect(await waitUntil(() => !isAlive(keeper), 10_000)).toBe(true);
  expect(await waitUntil(() => answers(server.url), 10_000)).toBe(true);
});

test('after everything was killed, with a backend still busy, the next start recovers the data', async () => {
  const folder = makeFolder();
  const user = startUser(folder);
  const { url } = await user.opened;
  await query(url, 'create table kept as select 7 as row');
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  const { rows } = await client.query('select pg_backend_pid() as pid');
  const backend = (rows[0] as { pid: number }).pid;
  const pids = [keeperPid(folder), serverPid(folder)];
  // Held still, it cannot see that its server has gone.
  process.kill(backend, 'SIGSTOP');
  await kill(user.child);
  for (const pid of pids) process.kill(pid, 'SIGKILL');
  expect(await waitUntil(() => processesOf(folder).length === 1, 10_000)).toBe(true);
  const server = await open(folder);
  expect(server.started).toBe(true);
  expect(await query(server.url, 'select * from kept')).toEqual([{ row: 7 }]);
  expect(processesOf(folder)).not.toContain(backend);
});

test('a process id file that names some other program does not stop the start', async () => {
  const folder = makeFolder();
  const first = await open(folder);
  const file = join(first.dataDirectory, 'postmaster.pid');
  const content = fs.readFileSync(file, 'utf8');
  const { uid, gid } = fs.statSync(file);
  await first.release();
  const other = spawn('sleep', ['60'], { uid, gid });
  children.push(other);
  fs.writeFileSync(file, content.replace(/^\d+/, String(other.pid)));
  fs.chownSync(file, uid, gid);
  expect(await answers((await open(folder)).url)).toBe(true);
  expect(other.exitCode).toBeNull();
});

test('a keeper killed while it makes the database leaves nothing half-made', async () => {
  const folder = makeFolder({ empty: true });
  const { home, keeperFile } = layoutOf(folder);
  const opening = open(folder);
  const unfinished = () =>
    fs.existsSync(home) && fs.readdirSync(home).some((name) => name.startsWith('postgres.new-'));
  expect(await waitUntil(() => fs.existsSync(keeperFile) && unfinished(), 10_000, 2)).toBe(true);
  process.kill(keeperPid(folder), 'SIGKILL');
  expect(await answers((await opening).url)).toBe(true);
  expect(unfinished()).toBe(false);
});

test('what a killed keeper left half-made is removed at the next start', async () => {
  const folder = makeFolder();
  const first = await open(folder);
  const left = join(dirname(first.dataDirectory), 'postgres.new-abcdef');
  await first.release();
  fs.mkdirSync(join(left, 'base'), { recursive: true });
  fs.writeFileSync(join(left, 'base', '1'), 'half');
  expect(await answers((await open(folder)).url)).toBe(true);
  expect(fs.existsSync(left)).toBe(false);
});

test('a peer that sends the keeper rubbish is cut off and counts for nothing', async () => {
  const folder = makeFolder();
  const server = await open(folder);
  const { socketDirectory = '' } = readKeeperFile(layoutOf(folder).keeperFile) ?? {};
  const peer = connect(controlPath(socketDirectory), () => peer.write('GET / HTTP/1.1\n\n'));
  peer.on('error', () => undefined).resume();
  await once(peer, 'close');
  expect(await answers(server.url)).toBe(true);
});

test('a folder that is deleted while it is in use leaves no process behind', async () => {
  const folder = makeFolder();
  const server = await open(folder);
  fs.rmSync(folder, { recursive: true });
  await server.release();
  expect(processesOf(folder)).toEqual([]);
});
