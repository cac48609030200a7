/**
 * Whether a pooler in transaction mode (pgbouncer) stands between this process and the database.
 *
 * How it is recognised: when a connection is made, the server tells the number of its process, and a pooler
 * tells one that it made up; so a server process with another number than the one that was told means a
 * pooler. In transaction mode it gives each transaction whatever server process is free: a second connection
 * takes the one that answered last and holds it in a transaction, and if the first one is then answered by
 * another, it is proved. (A set-up of session state that gets lost would prove it as well, but it would stay
 * behind in a connection that belongs to others.)
 */
import type { Queryable } from '../schema-version.ts';
import { statements } from '../statements.generated.ts';
import { ask, type Check, type Examination, type Finding } from './finding.ts';

export const poolerCheck: Check = {
  code: 'pooler',
  fine: 'no pooler is between this process and the database',
  needsSchema: false,
  async run(examination) {
    const told = toldProcess(examination.client);
    const first = await answeringProcess(examination, examination.client);
    if (await isMoved(examination, first)) return [transactionMode()];
    return told === undefined || told === first ? [] : [anyPooler()];
  },
};

/** Whether the connection is answered by another server process once the one that it had is taken. */
async function isMoved(examination: Examination, first: number): Promise<boolean> {
  const { client, second } = examination;
  if (second === undefined) return (await answeringProcess(examination, client)) !== first;
  await second.query('begin');
  try {
    await answeringProcess(examination, second);
    return (await answeringProcess(examination, client)) !== first;
  } finally {
    await second.query('rollback');
  }
}

async function answeringProcess({ schema }: Examination, client: Queryable): Promise<number> {
  const [row] = await ask<{ pid: number }>({ client, schema }, statements.doctorBackend);
  return row?.pid ?? 0;
}

/** The number that was told when the connection was made; `pg` keeps it. */
function toldProcess(client: Queryable): number | undefined {
  const { processID } = client as { processID?: unknown };
  return typeof processID === 'number' ? processID : undefined;
}

function transactionMode(): Finding {
  return {
    code: 'pooler-transaction',
    severity: 'warning',
    title: 'a pooler in transaction mode (such as pgbouncer) is between this process and the database',
    detail:
      'One connection was answered by several server processes. Lineshaft works, but without LISTEN: jobs ' +
      'start by polling, and cancels arrive with the heartbeat.',
    remedy:
      'For jobs to start within milliseconds, give workers a direct connection or a pool in session mode.',
  };
}

function anyPooler(): Finding {
  return {
    code: 'pooler',
    severity: 'warning',
    title: 'a pooler is between this process and the database; whether in transaction mode is not known',
    detail:
      'The server process that answers is not the one that the connection was told of. In session mode ' +
      'nothing is lost; in transaction mode workers do without LISTEN and start jobs by polling.',
    remedy: 'Look at its setting pool_mode, or let workers connect directly.',
  };
}
