/** `raw`: bulk insert with one JSON parameter; two connections that claim 500, call, delete, claim again. */
import type pg from 'pg';
import type { Payload } from '../payload.ts';
import type { DriverConfig, MakeDriver, OnJob, Producer, Worker } from './port.ts';
import { inChunks } from './port.ts';
import type { ClaimedRow } from './raw-store.ts';
import { connect, makeTable, rowsAsJson, statements, uuidV7 } from './raw-store.ts';
import { versionOf } from './version.ts';

const CLAIM_CONNECTIONS = 2;
const CLAIM_BATCH = 500;
const INSERT_BATCH = 1_000;
const ONE_BY_ONE_CONNECTIONS = 24;
const RETRY_MS = 1;

export const makeDriver: MakeDriver = async (config) => {
  const monitor = await connect(config.url);
  return {
    settings: {
      pg: versionOf('pg'),
      claimConnections: CLAIM_CONNECTIONS,
      claimBatch: CLAIM_BATCH,
      insertBatch: INSERT_BATCH,
      insert: insertShape(config),
      oneByOneConnections: ONE_BY_ONE_CONNECTIONS,
    },
    prepare: () => makeTable(config.url),
    openProducer: () => openProducer(config),
    openWorker: (onJob) => openWorker(config.url, onJob),
    isEmpty: async () =>
      (await monitor.query<{ empty: boolean }>(statements.isEmpty)).rows[0]?.empty ?? false,
    close: () => monitor.end(),
  };
};

function insertShape({ setup }: DriverConfig): { statement: 'elements' | 'recordset'; inFlight: number } {
  const [statement, inFlight] = setup.split('-');
  return { statement: statement === 'recordset' ? 'recordset' : 'elements', inFlight: Number(inFlight) || 2 };
}

async function openProducer(config: DriverConfig): Promise<Producer> {
  const { statement, inFlight } = insertShape(config);
  const insert = statement === 'recordset' ? statements.insertRecordset : statements.insertElements;
  const clients = await Promise.all(
    Array.from({ length: Math.max(inFlight, ONE_BY_ONE_CONNECTIONS) }, () => connect(config.url)),
  );
  const free = [...clients];
  const send = async (client: pg.Client | undefined, jobs: readonly Payload[]): Promise<void> => {
    if (client === undefined) throw new Error('more calls in flight than connections');
    await client.query({ ...insert, values: [rowsAsJson(jobs)] });
  };
  return {
    add: async (job) => {
      const client = free.pop();
      await send(client, [job]);
      if (client !== undefined) free.push(client);
    },
    addAll: (jobs) => inChunks(jobs, INSERT_BATCH, inFlight, (chunk, lane) => send(clients[lane], chunk)),
    close: async () => {
      await Promise.all(clients.map((client) => client.end()));
    },
  };
}

async function openWorker(url: string, onJob: OnJob): Promise<Worker> {
  const clients = await Promise.all(Array.from({ length: CLAIM_CONNECTIONS }, () => connect(url)));
  const handler = async (job: Payload): Promise<void> => onJob(job);
  const id = uuidV7();
  let running = true;
  let loops: Promise<void>[] = [];
  const loop = async (client: pg.Client): Promise<void> => {
    while (running) {
      const values = ['bench', CLAIM_BATCH, id];
      const { rows } = await client.query<ClaimedRow>({ ...statements.claim, values });
      if (rows.length === 0) {
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
        continue;
      }
      await Promise.all(rows.map((row) => handler(row.payload)));
      await client.query({ ...statements.complete, values: [rows.map((row) => row.id)] });
    }
  };
  return {
    start: async () => {
      loops = clients.map(loop);
    },
    stop: async () => {
      running = false;
      await Promise.all(loops);
      await Promise.all(clients.map((client) => client.end()));
    },
  };
}
