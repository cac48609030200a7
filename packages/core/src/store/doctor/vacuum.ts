/** Dead rows on the hot path, and who keeps vacuum from removing them. */
import { statements } from '../statements.generated.ts';
import { ask, type Check, describeSpan, type Examination, type Finding } from './finding.ts';

export const deadTuplesCheck: Check = {
  code: 'dead-tuples',
  fine: 'dead rows are few',
  needsSchema: true,
  async run(examination) {
    const rows = await ask<{ name: string; live: string; dead: string; vacuumed_at: string | null }>(
      examination,
      statements.doctorDeadTuples,
    );
    const { deadTuples } = examination.limits;
    return rows
      .filter(({ name, dead }) => Number(dead) > (deadTuples[name] ?? Number.POSITIVE_INFINITY))
      .map(({ name, live, dead, vacuumed_at }) => ({
        code: 'dead-tuples',
        severity: 'warning',
        title: `table ${name} has ${dead} dead rows`,
        detail: `Live rows: ${live}; vacuumed last: ${vacuumed_at ?? 'never'}. Claims read over dead rows.`,
        remedy:
          'End what pins vacuum, if other findings name something; else see that autovacuum runs and keeps ' +
          'up (autovacuum_naptime, autovacuum_max_workers).',
      }));
  },
};

export const pinnedVacuumCheck: Check = {
  code: 'pinned-vacuum',
  fine: 'nothing pins vacuum',
  needsSchema: false,
  async run(examination) {
    return [
      ...(await findSessions(examination)),
      ...(await findPreparedTransactions(examination)),
      ...(await findSlots(examination)),
    ];
  },
};

async function findSessions(examination: Examination): Promise<Finding[]> {
  const { openTransactionMs, behindTransactions } = examination.limits;
  const sessions = await ask<{
    pid: number;
    application: string | null;
    username: string | null;
    state: string;
    since: string;
    age_ms: number;
  }>(examination, statements.doctorOldSessions, [openTransactionMs, behindTransactions]);
  return sessions.map(({ pid, application, username, state, since, age_ms }) => ({
    code: 'long-transaction',
    severity: 'warning',
    title: `a transaction has been open for ${describeSpan(age_ms)} and pins vacuum`,
    detail:
      `pid ${pid}, application ${application || 'unnamed'}, user ${username ?? 'unknown'}, ${state}, ` +
      `since ${since}`,
    remedy: `Commit or end it where it was begun, or: select pg_terminate_backend(${pid})`,
  }));
}

async function findPreparedTransactions(examination: Examination): Promise<Finding[]> {
  const prepared = await ask<{ gid: string; owner: string; since: string }>(
    examination,
    statements.doctorPreparedTransactions,
    [examination.limits.openTransactionMs],
  );
  return prepared.map(({ gid, owner, since }) => ({
    code: 'prepared-transaction',
    severity: 'warning',
    title: `the prepared transaction '${gid}' was never ended and pins vacuum`,
    detail: `Prepared by ${owner}, since ${since}. It outlives its session and restarts of the server.`,
    remedy: "End it where it belongs, or: rollback prepared '...', commit prepared '...'.",
  }));
}

async function findSlots(examination: Examination): Promise<Finding[]> {
  const slots = await ask<{ name: string; kind: string; active: boolean; behind: number; rows: boolean }>(
    examination,
    statements.doctorReplicationSlots,
    [examination.limits.behindTransactions],
  );
  return slots.map(({ name, kind, active, behind, rows }) => ({
    code: 'replication-slot',
    severity: 'warning',
    title: `the replication slot '${name}' pins vacuum${rows ? '' : ' of the catalogs'}`,
    detail: `${kind}, ${active ? 'in use' : 'read by nobody'}, ${behind} transactions behind`,
    remedy: 'Let its reader catch up, or drop it if it is left over: select pg_drop_replication_slot(name)',
  }));
}
