/**
 * Three nodes of PostgreSQL under Debian's patroni and etcd, on loopback, with synchronous replication: what was
 * acknowledged is on two nodes. Processes reach the primary through a router that follows it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { serverUser } from '../../../packages/core/src/testing/server-binaries.ts';
import {
  endServer,
  freePort,
  makeServerFolder,
  removeServerFolder,
} from '../../../packages/core/src/testing/server-folder.ts';
import { monotonicMs, pause } from '../monotonic.ts';

export const patroniPackages = [
  { name: 'patroni', program: '/usr/bin/patroni' },
  { name: 'etcd-server', program: '/usr/bin/etcd' },
  { name: 'python3-etcd', program: '/usr/lib/python3/dist-packages/etcd/__init__.py' },
] as const;

const binaries = '/usr/lib/postgresql/15/bin';
const startTimeoutMs = 120_000;
const lookMs = 100;
/** A node that is not heard of for so long is replaced. */
const timeToLiveS = 6;

interface Node {
  readonly name: string;
  readonly folder: string;
  readonly port: number;
  readonly restPort: number;
  patroni: ChildProcess | undefined;
}

export class PatroniCluster implements AsyncDisposable {
  /** The primary, whichever it is. */
  readonly url: string;
  private readonly nodes: readonly Node[];
  private readonly etcd: { readonly folder: string; readonly process: ChildProcess };
  private readonly router: Server;
  private readonly sockets = new Map<Socket, string>();
  private primary: Node | undefined;
  private looking = true;
  private readonly looks: Promise<void>;

  private constructor(nodes: readonly Node[], etcd: PatroniCluster['etcd'], router: Server) {
    this.nodes = nodes;
    this.etcd = etcd;
    this.router = router;
    const address = router.address();
    if (address === null || typeof address === 'string') throw new TypeError('a TCP server has a port');
    this.url = `postgres://postgres@127.0.0.1:${address.port}/postgres`;
    router.on('connection', (client) => this.route(client));
    this.looks = this.follow();
  }

  static async start(stack: AsyncDisposableStack): Promise<PatroniCluster> {
    const etcd = await startEtcd();
    const nodes: Node[] = [];
    for (const name of ['node1', 'node2', 'node3']) nodes.push(await makeNode(name, etcd.port));
    const router = createServer();
    router.listen(0, '127.0.0.1');
    await once(router, 'listening');
    const cluster = new PatroniCluster(nodes, etcd, router);
    stack.use(cluster);
    for (const node of nodes) startPatroni(node);
    await cluster.isWhole();
    return cluster;
  }

  /** The name of the node that leads now. */
  get leader(): string | undefined {
    return this.primary?.name;
  }

  /** Kills PostgreSQL on the primary, and its patroni with it if the whole node is to fail. */
  async killPrimary(whole: boolean): Promise<() => void> {
    const victim = this.primary;
    if (victim === undefined) return () => {};
    if (whole) await endProcess(victim.patroni);
    const postmaster = postmasterOf(victim);
    if (postmaster !== undefined) await endServer(postmaster);
    if (this.primary === victim) this.primary = undefined;
    this.resetExcept(undefined);
    return () => {
      if (whole) startPatroni(victim);
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.looking = false;
    await this.looks;
    this.router.close();
    this.resetExcept(undefined);
    await Promise.all(this.nodes.map((node) => endProcess(node.patroni)));
    await endProcess(this.etcd.process);
    for (const { folder } of [...this.nodes, this.etcd]) removeServerFolder(folder);
  }

  private route(client: Socket): void {
    client.on('error', () => {});
    const { primary } = this;
    if (primary === undefined) {
      client.resetAndDestroy();
      return;
    }
    const upstream = connect(primary.port, '127.0.0.1');
    upstream.on('error', () => {});
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      this.sockets.set(socket, primary.name);
      socket.setNoDelay();
      socket.on('close', () => {
        this.sockets.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  }

  /** Who was connected to a primary that is none any more has to find the new one. */
  private resetExcept(name: string | undefined): void {
    for (const [socket, node] of this.sockets) if (node !== name) socket.resetAndDestroy();
  }

  private async follow(): Promise<void> {
    while (this.looking) {
      const answers = await Promise.all(this.nodes.map((node) => answersOk(node, 'primary')));
      const found = this.nodes[answers.indexOf(true)];
      if (found !== this.primary) {
        this.primary = found;
        this.resetExcept(found?.name);
      }
      await pause(lookMs);
    }
  }

  /** All nodes run, and one of them is the synchronous standby. */
  private async isWhole(): Promise<void> {
    const endMs = monotonicMs() + startTimeoutMs;
    for (;;) {
      const roles = await Promise.all(
        ['primary', 'sync', 'replica'].map(async (role) => {
          const answers = await Promise.all(this.nodes.map((node) => answersOk(node, role)));
          return answers.filter(Boolean).length;
        }),
      );
      const [primaries = 0, synchronous = 0, replicas = 0] = roles;
      if (primaries === 1 && synchronous >= 1 && replicas === 2) return;
      if (monotonicMs() > endMs) throw new Error(`the cluster was not whole in time; see ${this.logs()}`);
      await pause(lookMs);
    }
  }

  private logs(): string {
    return this.nodes.map(({ folder }) => readFileSync(join(folder, 'log'), 'utf8').slice(-1_000)).join('\n');
  }
}

async function startEtcd(): Promise<{ folder: string; process: ChildProcess; port: number }> {
  const folder = makeServerFolder();
  const port = await freePort();
  const peers = `http://127.0.0.1:${await freePort()}`;
  const clients = `http://127.0.0.1:${port}`;
  const process = launch(folder, '/usr/bin/etcd', [
    ...['--name', 'lab', '--data-dir', join(folder, 'etcd'), '--initial-cluster', `lab=${peers}`],
    ...['--listen-client-urls', clients, '--advertise-client-urls', clients],
    ...['--listen-peer-urls', peers, '--initial-advertise-peer-urls', peers],
  ]);
  return { folder, process, port };
}

async function makeNode(name: string, etcdPort: number): Promise<Node> {
  const folder = makeServerFolder();
  const [port, restPort] = [await freePort(), await freePort()];
  const loopback = (of: number): string => `127.0.0.1:${of}`;
  const settings = {
    scope: 'lab',
    name,
    restapi: { listen: loopback(restPort), connect_address: loopback(restPort) },
    etcd3: { hosts: loopback(etcdPort) },
    bootstrap: {
      dcs: {
        ttl: timeToLiveS,
        loop_wait: 1,
        retry_timeout: 2,
        // A primary whose PostgreSQL has died is replaced at once.
        primary_start_timeout: 0,
        synchronous_mode: true,
        postgresql: {
          use_pg_rewind: true,
          use_slots: true,
          parameters: {
            max_connections: 200,
            shared_buffers: '32MB',
            wal_keep_size: '256MB',
            fsync: 'off',
            timezone: 'UTC',
          },
        },
      },
      initdb: [{ encoding: 'UTF8' }, { locale: 'C' }, 'data-checksums', 'no-sync'],
    },
    postgresql: {
      listen: loopback(port),
      connect_address: loopback(port),
      data_dir: join(folder, 'data'),
      bin_dir: binaries,
      pgpass: join(folder, 'pgpass'),
      authentication: {
        superuser: { username: 'postgres' },
        replication: { username: 'postgres' },
        rewind: { username: 'postgres' },
      },
      parameters: { unix_socket_directories: folder },
      pg_hba: [
        'local all all trust',
        'host all all 127.0.0.1/32 trust',
        'host replication all 127.0.0.1/32 trust',
      ],
    },
  };
  // JSON is YAML.
  writeFileSync(join(folder, 'patroni.yml'), JSON.stringify(settings), { mode: 0o644 });
  return { name, folder, port, restPort, patroni: undefined };
}

function startPatroni(node: Node): void {
  node.patroni = launch(node.folder, '/usr/bin/patroni', [join(node.folder, 'patroni.yml')]);
}

/** Starts a program as the user of servers; the kernel kills it when the lab is gone, whatever became of the lab. */
function launch(folder: string, program: string, parameters: readonly string[]): ChildProcess {
  const log = openSync(join(folder, 'log'), 'a');
  const child = spawn('/usr/bin/setpriv', ['--pdeathsig', 'SIGKILL', program, ...parameters], {
    ...serverUser(),
    cwd: folder,
    env: { PATH: `${binaries}:/usr/bin:/bin`, HOME: folder },
    stdio: ['ignore', log, log],
  });
  child.on('error', () => {});
  return child;
}

async function endProcess(process: ChildProcess | undefined): Promise<void> {
  if (process === undefined || process.exitCode !== null || process.signalCode !== null) return;
  const ended = once(process, 'exit');
  process.kill('SIGKILL');
  await ended;
}

function postmasterOf({ folder }: Node): number | undefined {
  try {
    const pid = Number(readFileSync(join(folder, 'data', 'postmaster.pid'), 'utf8').split('\n')[0]);
    return Number.isInteger(pid) && pid > 1 ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a node says that it has this role. */
async function answersOk(node: Node, role: string): Promise<boolean> {
  try {
    const answer = await fetch(`http://127.0.0.1:${node.restPort}/${role}`, {
      signal: AbortSignal.timeout(1_000),
    });
    await answer.arrayBuffer();
    return answer.ok;
  } catch {
    return false;
  }
}
