/** Gathers what the ledger and the database say of each job, under the `ref` that its caller gave it. */
import type { Entry } from '../ledger/entry.ts';
import type { Signed } from '../ledger/reader.ts';
import type { Ask } from '../workloads/workload.ts';
import type { Final } from './evidence.ts';

export interface Start {
  readonly id: string;
  readonly atMs: number;
  /** The worker process. */
  readonly by: string;
  readonly attempt: number;
  readonly key: string | undefined;
  readonly end: { readonly atMs: number; readonly how: 'returned' | 'threw' | 'snoozed' } | undefined;
}

export interface JobAccount {
  readonly ref: string;
  readonly workload: string;
  /** What the caller asked for; undefined for jobs that a handler enqueued. */
  readonly ask: Ask | undefined;
  /** The job that stands for the request; undefined while nobody has seen it. */
  readonly id: string | undefined;
  readonly acked: boolean;
  /** The job that stands for it is another request's, which has the unique key. */
  readonly keptFor: string | undefined;
  readonly ackAtMs: number | undefined;
  readonly sentAtMs: readonly number[];
  readonly starts: readonly Start[];
  readonly finals: readonly Final[];
  /** More than one where a request that was sent again is in effect twice. */
  readonly ids: readonly string[];
}

interface Draft {
  sends: (Entry & { e: 'send' })[];
  ack: (Entry & { e: 'ack' }) | undefined;
  starts: Start[];
  finals: Final[];
  workload: string;
}

export function accountsOf(ledger: readonly Signed[], finals: readonly Final[]): JobAccount[] {
  const drafts = new Map<string, Draft>();
  const draftOf = (ref: string, workload: string): Draft => {
    const known = drafts.get(ref);
    if (known !== undefined) return known;
    const made: Draft = { sends: [], ack: undefined, starts: [], finals: [], workload };
    drafts.set(ref, made);
    return made;
  };
  const ends = endsOf(ledger);
  for (const entry of ledger) {
    if (entry.e === 'send') draftOf(entry.ref, entry.workload).sends.push(entry);
    else if (entry.e === 'ack') draftOf(entry.ref, '').ack ??= entry;
    else if (entry.e === 'start') {
      draftOf(entry.ref, entry.workload).starts.push({
        id: entry.id,
        atMs: entry.at,
        by: entry.by,
        attempt: entry.attempt,
        key: entry.key,
        end: ends.get(`${entry.by} ${entry.id}`)?.find((end) => end.atMs >= entry.at),
      });
    }
  }
  for (const final of finals) draftOf(final.ref, final.workload).finals.push(final);
  return [...drafts].map(([ref, draft]) => account(ref, draft));
}

function account(ref: string, { sends, ack, starts, finals, workload }: Draft): JobAccount {
  const own = new Set([...starts.map((start) => start.id), ...finals.map((final) => final.id)]);
  const [send] = sends;
  const mine = ack !== undefined && (ack.result !== 'kept' || ack.id === send?.id || own.has(ack.id));
  if (mine) own.add(ack.id);
  return {
    ref,
    workload,
    ask: send,
    id: ack?.id ?? [...own][0],
    acked: ack !== undefined,
    keptFor: ack === undefined || mine ? undefined : ack.id,
    ackAtMs: ack?.at,
    sentAtMs: sends.map((each) => each.at),
    starts,
    finals,
    ids: [...own],
  };
}

type End = NonNullable<Start['end']>;

/** By process and job; a process may run a job more than once. */
function endsOf(ledger: readonly Signed[]): Map<string, End[]> {
  const ends = new Map<string, End[]>();
  for (const entry of ledger) {
    if (entry.e !== 'end') continue;
    const key = `${entry.by} ${entry.id}`;
    const known = ends.get(key) ?? [];
    known.push({ atMs: entry.at, how: entry.how });
    ends.set(key, known);
  }
  return ends;
}
