/**
 * `wakeup-floor`: the least that a durable wake-up costs. Insert and NOTIFY in one statement on one
 * connection; a listener claims one row in a transaction of its own, calls the handler, and deletes the row afterwards.
 */
import type { Payload } from '../payload.ts';
import { inChunks, type MakeDriver, type OnJob, type Producer, type Worker } from './port.ts';
import { CHANNEL, type ClaimedRow, connect, makeTable, statements, uuidV7 } from './raw-store.ts';
import { versionOf } from './version.ts';

const insertAndNotify = {
  name: 'insert_and_notify',
  text: `
    with inserted as (
      insert into job (id, queue, kind, payload) values ($1, 'bench', 'noop', $2) returning 1)
    select pg_notify('${CHANNEL}', '') from inserted`,
};

export const makeDriver: MakeDriver = async ({ url }) => {
  const monitor = await connect(url);
  return {
    settings: { pg: versionOf('pg'), connections: 'one to insert, one to listen, one to claim and complete' },
    prepare: () => makeTable(url),
    openProducer: () => openProducer(url),
    openWorker: (onJob) => openWorker(url, onJob),
    isEmpty: async () =>
      (await monitor.query<{ empty: boolean }>(statements.isEmpty)).rows[0]?.empty ?? false,
    close: () => monitor.end(),
  };
};

async function openProducer(url: string): Promise<Producer> {
  const client = await connect(url);
  const add = async (job: Payload): Promise<void> => {
    await client.query({ ...insertAndNotify, values: [uuidV7(), JSON.stringify(job)] });
  };
  return {
    add,
    addAll: (jobs) => inChunks(jobs, 1, 1, ([job]) => (job === undefined ? Promise.resolve() : add(job))),
    close: () => client.end(),
  };
}

async function openWorker(url: string, onJob: OnJob): Promise<Worker> {
  const [listener, client] = await Promise.all([connect(url), connect(url)]);
  const id = uuidV7();
  const claimOne = async (): Promise<void> => {
    const { rows } = await client.query<ClaimedRow>({ ...statements.claim, values: ['bench', 1, id] });
    const row = rows[0];
    if (row === undefined) return;
    onJob(row.payload);
    await client.query({ ...statements.complete, values: [[row.id]] });
  };
  listener.on('notification', () => void claimOne());
  return {
    start: async () => {
      await listener.query(`listen ${CHANNEL}`);
    },
    stop: async () => {
      await Promise.all([listener.end(), client.end()]);
    },
  };
}
