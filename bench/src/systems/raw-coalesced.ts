/**
 * `raw-coalesced`: calls that add one job are gathered while an insert is in flight and go together in the
 * next one, with one NOTIFY for each; a worker with one claim loop sleeps until it is notified.
 */
import type pg from 'pg';
import type { Payload } from '../payload.ts';
import type { MakeDriver, OnJob, Producer, Worker } from './port.ts';
import { CHANNEL, type ClaimedRow, connect, makeTable, rowsAsJson, statements, uuidV7 } from './raw-store.ts';
import { versionOf } from './version.ts';

const MOST_PER_INSERT = 1_000;
const CLAIM_BATCH = 500;

const insertAndNotify = {
  name: 'insert_and_notify',
  text: `with inserted as (${statements.insertRecordset.text} returning 1)
         select pg_notify('${CHANNEL}', '') from (select from inserted limit 1) one`,
};

interface Waiting {
  readonly job: Payload;
  resolve(): void;
  reject(error: unknown): void;
}

export const makeDriver: MakeDriver = async ({ url }) => {
  const monitor = await connect(url);
  return {
    settings: {
      pg: versionOf('pg'),
      insertConnections: 1,
      mostPerInsert: MOST_PER_INSERT,
      claimLoops: 1,
      claimBatch: CLAIM_BATCH,
    },
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
  let waiting: Waiting[] = [];
  let flushing = false;
  const flush = async (): Promise<void> => {
    flushing = true;
    // Calls of the same turn of the event loop go together.
    await Promise.resolve();
    while (waiting.length > 0) {
      const batch = waiting.slice(0, MOST_PER_INSERT);
      waiting = waiting.slice(MOST_PER_INSERT);
      try {
        await client.query({ ...insertAndNotify, values: [rowsAsJson(batch.map((each) => each.job))] });
        for (const each of batch) each.resolve();
      } catch (error) {
        for (const each of batch) each.reject(error);
      }
    }
    flushing = false;
  };
  const add = (job: Payload): Promise<void> =>
    new Promise((resolve, reject) => {
      waiting.push({ job, resolve, reject });
      if (!flushing) void flush();
    });
  return {
    add,
    addAll: async (jobs) => {
      await Promise.all(jobs.map(add));
    },
    close: () => client.end(),
  };
}

async function openWorker(url: string, onJob: OnJob): Promise<Worker> {
  const [listener, client] = await Promise.all([connect(url), connect(url)]);
  const handler = async (job: Payload): Promise<void> => onJob(job);
  const bell = new Bell();
  listener.on('notification', () => bell.ring());
  await listener.query(`listen ${CHANNEL}`);
  let running = true;
  let loop = Promise.resolve();
  return {
    start: async () => {
      loop = claimLoop(client, handler, bell, () => running);
    },
    stop: async () => {
      running = false;
      bell.ring();
      await loop;
      await Promise.all([listener.end(), client.end()]);
    },
  };
}

async function claimLoop(
  client: pg.Client,
  handler: (job: Payload) => Promise<void>,
  bell: Bell,
  running: () => boolean,
): Promise<void> {
  const id = uuidV7();
  while (running()) {
    bell.reset();
    const { rows } = await client.query<ClaimedRow>({
      ...statements.claim,
      values: ['bench', CLAIM_BATCH, id],
    });
    if (rows.length === 0) {
      await bell.rung();
      continue;
    }
    await Promise.all(rows.map((row) => handler(row.payload)));
    await client.query({ ...statements.complete, values: [rows.map((row) => row.id)] });
  }
}

/** Remembers a ring that came while nobody waited. */
class Bell {
  #ring = Promise.withResolvers<void>();

  ring(): void {
    this.#ring.resolve();
  }

  reset(): void {
    this.#ring = Promise.withResolvers<void>();
  }

  rung(): Promise<void> {
    return this.#ring.promise;
  }
}
