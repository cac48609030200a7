/**
 * Why jobs wait: facts go in, reasons come out, each with a code, one sentence with the values, and the command that
 * would mend it. The most decisive reason comes first; all that hold are told, since mending one of two is no help.
 * Pure.
 */

import { amountsText, shortOf, takeAmounts } from './amounts.ts';
import { judgeServing } from './serving.ts';
import { didYouMean } from './suggest.ts';
import { requirementsMet } from './tags.ts';
import { defaultPreferMs } from './wants.ts';
import type {
  Finding,
  JobFacts,
  LaneFacts,
  PausedScheduleFacts,
  PlaceFacts,
  Reason,
  SceneFacts,
  WorkerFacts,
} from './why-facts.ts';
import { limitsFull } from './why-limits.ts';
import { judgeState } from './why-state.ts';
import { holdsText, jobsText, listText, queueArgument, queueText, spanText, timeText } from './why-words.ts';

/** Why a job does not run, or that it does. */
export function judgeJob(job: JobFacts, lane: LaneFacts, scene: SceneFacts): Reason[] {
  const own = judgeState(job, scene.nowMs);
  const waits = job.state === 'ready' || job.state === 'scheduled' || job.state === 'retrying';
  const hindrances = waits ? hindrancesOf(lane, scene) : [];
  const now = job.state === 'ready' && hindrances.length === 0 ? limitedOrNext(lane, scene, job.place) : [];
  return [...own, ...hindrances, ...now].map((finding) => ({ ...finding, jobs: 1 }));
}

/** Why the jobs of lanes that could run now do not; lanes with the same reason go together. */
export function judgeLanes(lanes: readonly LaneFacts[], scene: SceneFacts): Reason[] {
  const found = new Map<string, Reason>();
  for (const lane of lanes) {
    const hindrances = hindrancesOf(lane, scene);
    for (const finding of hindrances.length > 0 ? hindrances : limitedOrNext(lane, scene, undefined)) {
      const key = `${finding.code} ${finding.message}`;
      const jobs = (found.get(key)?.jobs ?? 0) + lane.waiting;
      found.set(key, { ...finding, jobs });
    }
  }
  // What nobody can do anything about by waiting comes first, then what concerns most jobs.
  return [...found.values()].sort((a, b) => weight(b) - weight(a) || b.jobs - a.jobs);
}

/** What keeps every worker from a lane, by source; a further source is a further line. */
function hindrancesOf(lane: LaneFacts, scene: SceneFacts): Finding[] {
  return [...paused(lane, scene), ...circuitOpen(lane, scene), ...unserved(lane, scene)];
}

function weight({ code }: Reason): number {
  return code === 'next' ? 0 : code.endsWith('-full') || code === 'needs-in-use' ? 1 : 2;
}

function paused({ queue }: LaneFacts, { nowMs }: SceneFacts): Finding[] {
  if (!queue.paused) return [];
  const until = queue.resumeAtMs === undefined ? '' : ` until ${timeText(queue.resumeAtMs, nowMs)}`;
  return [
    {
      code: 'queue-paused',
      message: `queue ${queueText(queue)} is paused${until}`,
      command: `lineshaft queue resume ${queueArgument(queue)}`,
      details: { queue: queue.name, project: queue.project, resumeAt: isoTime(queue.resumeAtMs) },
    },
  ];
}

/** The kind mostly failed lately, or somebody opened its circuit. */
function circuitOpen({ kind }: LaneFacts, { circuits, nowMs }: SceneFacts): Finding[] {
  const circuit = circuits.find((one) => one.kind === kind);
  if (circuit === undefined) return [];
  const { state, untilMs, reason, byHand, probing } = circuit;
  const because = reason === undefined ? '' : ` (${reason})`;
  const until =
    untilMs === undefined ? ' until somebody closes it' : `; jobs are tried at ${timeText(untilMs, nowMs)}`;
  return [
    {
      code: 'circuit-open',
      message:
        state === 'open'
          ? `the circuit of kind ${kind} is open${because}${until}`
          : `the circuit of kind ${kind} is half-open${because}: ${jobsText(probing)} ${probing === 1 ? 'is' : 'are'} being tried, the others wait`,
      command: `lineshaft circuit close ${kind}`,
      details: { kind, state, until: isoTime(untilMs), reason: reason ?? null, byHand },
    },
  ];
}

/** Schedules that would make such jobs and are paused. */
export function judgeSchedules(schedules: readonly PausedScheduleFacts[], { nowMs }: SceneFacts): Reason[] {
  return schedules.map(({ name, project, kind, sinceMs, reason }) => ({
    code: 'schedule-paused',
    message:
      `schedule ${name}, which makes jobs of kind ${kind}, is paused` +
      `${sinceMs === undefined ? '' : ` since ${timeText(sinceMs, nowMs)}`}${reason === undefined ? '' : `: ${reason}`}`,
    command: `lineshaft schedule resume ${name}${project === 'default' ? '' : ` --project ${project}`}`,
    jobs: 0,
    details: { schedule: name, project, kind, reason: reason ?? null },
  }));
}

/** What no live worker has. */
function unserved(lane: LaneFacts, scene: SceneFacts): Finding[] {
  const { queue, kind, requirements, build, pin, needs } = lane;
  const { lack, nearest } = judgeServing({ ...lane, slug: queue.slug }, scene.workers);
  const of = `of queue ${queueText(queue)}`;
  switch (lack) {
    case undefined:
      return [];
    case 'queue': {
      const tags = queue.tags.join(', ') || 'none';
      return [
        {
          code: 'queue-unserved',
          message: `no live worker serves queue ${queueText(queue)} (its tags: ${tags}; live workers: ${scene.workers.length})`,
          command: `lineshaft worker -Q ${queue.name}${tagFlags(queue.tags)}`,
          details: {
            queue: queue.name,
            project: queue.project,
            tags: queue.tags,
            workers: scene.workers.length,
          },
        },
      ];
    }
    case 'kind': {
      const known = [...new Set(nearest.flatMap(({ kinds }) => kinds))].sort();
      const hint = didYouMean(kind, known);
      return [
        {
          code: 'kind-unknown',
          message: `no live worker ${of} knows the kind ${kind}${hint === '' ? `; they know ${listText(known) || 'none'}` : hint}`,
          command: `lineshaft worker -Q ${queue.name}`,
          details: { kind, known: known.slice(0, 50), builds: buildsOf(nearest) },
        },
      ];
    }
    case 'requirements':
      return [
        {
          code: 'requirements-unmet',
          message: `no live worker ${of} that knows ${kind} has the tags ${requirements.join(', ')}`,
          command: `lineshaft worker -Q ${queue.name}${tagFlags(missingTags(requirements, nearest))}`,
          details: { requirements, workers: namesOf(nearest) },
        },
      ];
    case 'build':
      return [
        {
          code: 'build-unserved',
          message:
            `the job is pinned to build ${build}${pin === 'min' ? ' or a later one' : ''}, and no live worker ${of} ` +
            `runs it (they run ${listText(buildsOf(nearest))})`,
          command: `lineshaft worker -Q ${queue.name} --build ${build}`,
          details: { build, pin, builds: buildsOf(nearest) },
        },
      ];
    case 'amounts':
      return [
        {
          code: 'needs-unmet',
          message:
            `no live worker ${of} offers ${amountsText(needs)} (` +
            `${listText(nearest.map(({ workerId, offers }) => `${workerId}: ${amountsText(offers)}`))})`,
          command: `lineshaft worker -Q ${queue.name}${offerFlags(needs)}`,
          details: { needs, offers: nearest.slice(0, 50).map(({ offers }) => offers) },
        },
      ];
  }
}

/** Limits that leave no room; if all do, what keeps the workers. */
function limitedOrNext(lane: LaneFacts, scene: SceneFacts, place: PlaceFacts | undefined): Finding[] {
  const limited = limitsFull(lane.fullLimits, scene.nowMs);
  return limited.length > 0 ? limited : busyOrNext(lane, scene, place);
}

/** What keeps each worker that may run the job from it; if one is free, nothing does. */
function busyOrNext(lane: LaneFacts, scene: SceneFacts, place: PlaceFacts | undefined): Finding[] {
  const { able } = judgeServing({ ...lane, slug: lane.queue.slug }, scene.workers);
  const kept = able.map((worker) => ({ worker, by: hindranceOf(worker, able, lane, scene.nowMs) }));
  const free = kept.filter(({ by }) => by === undefined).map(({ worker }) => worker);
  if (free.length > 0) return [next(lane, free, place)];
  const keptBy = (name: Hindrance): WorkerFacts[] =>
    kept.filter(({ by }) => by === name).map(({ worker }) => worker);
  return [
    ...slotsFull(lane, keptBy('slots'), place),
    ...concurrencyFull(lane, keptBy('concurrency'), place),
    ...needsInUse(lane, keptBy('amounts')),
    ...leftToOthers(lane, keptBy('wish'), able, scene.nowMs),
  ];
}

type Hindrance = 'slots' | 'concurrency' | 'amounts' | 'wish';

function hindranceOf(
  worker: WorkerFacts,
  able: readonly WorkerFacts[],
  lane: LaneFacts,
  nowMs: number,
): Hindrance | undefined {
  const held = heldBy(worker);
  if (held.all >= worker.slots) return 'slots';
  if (heldBy(worker, lane.queue.slug).all >= lane.queue.concurrency) return 'concurrency';
  if (shortOf(lane.needs, held.free).length > 0) return 'amounts';
  const { prefers, preferMs = defaultPreferMs } = lane.wants;
  if (prefers === undefined || requirementsMet(prefers, worker.tags)) return undefined;
  const others = able.some(({ tags }) => requirementsMet(prefers, tags));
  return others && nowMs < lane.dueMs + preferMs ? 'wish' : undefined;
}

function heldBy(worker: WorkerFacts, slug?: string): { all: number; free: WorkerFacts['offers'] } {
  let all = 0;
  let free = worker.offers;
  for (const held of worker.holds) {
    if (slug !== undefined && held.slug !== slug) continue;
    all += held.jobs;
    free = takeAmounts(free, held.needs, held.jobs);
  }
  return { all, free };
}

function slotsFull(
  lane: LaneFacts,
  workers: readonly WorkerFacts[],
  place: PlaceFacts | undefined,
): Finding[] {
  if (workers.length === 0) return [];
  const each = workers.map(
    (worker) => `${worker.workerId} ${heldBy(worker).all} of ${worker.slots} (${holdsText(worker)})`,
  );
  return [
    {
      code: 'slots-full',
      message: `the slots of the workers that may run it are taken: ${listText(each)}${queueingText(place)}`,
      command: `lineshaft worker -Q ${lane.queue.name}`,
      details: { workers: namesOf(workers), ...placeDetails(place) },
    },
  ];
}

function concurrencyFull(
  { queue }: LaneFacts,
  workers: readonly WorkerFacts[],
  place: PlaceFacts | undefined,
): Finding[] {
  if (workers.length === 0) return [];
  const each = workers.map(
    (worker) => `${worker.workerId} ${heldBy(worker, queue.slug).all} (${holdsText(worker, queue.slug)})`,
  );
  return [
    {
      code: 'concurrency-full',
      message:
        `queue ${queueText(queue)} has a concurrency of ${queue.concurrency} for each worker, and it is taken: ` +
        `${listText(each)}${queueingText(place)}`,
      command: `lineshaft queue declare ${queueArgument(queue)} --concurrency ${Math.min(2 * queue.concurrency, 10_000)}`,
      details: { concurrency: queue.concurrency, workers: namesOf(workers), ...placeDetails(place) },
    },
  ];
}

function needsInUse({ needs, queue }: LaneFacts, workers: readonly WorkerFacts[]): Finding[] {
  if (workers.length === 0) return [];
  const each = workers.map((worker) => {
    const { free } = heldBy(worker);
    const left = Object.fromEntries(Object.keys(needs).map((name) => [name, Math.max(free[name] ?? 0, 0)]));
    return `${worker.workerId} has ${amountsText(left)} left (${holdsText(worker)})`;
  });
  return [
    {
      code: 'needs-in-use',
      message: `it needs ${amountsText(needs)}, and that is in use: ${listText(each)}`,
      command: `lineshaft worker -Q ${queue.name}${offerFlags(needs)}`,
      details: { needs, workers: namesOf(workers) },
    },
  ];
}

function leftToOthers(
  { wants, dueMs }: LaneFacts,
  workers: readonly WorkerFacts[],
  able: readonly WorkerFacts[],
  nowMs: number,
): Finding[] {
  const { prefers = [], preferMs = defaultPreferMs } = wants;
  if (workers.length === 0) return [];
  const preferred = able.filter(({ tags }) => requirementsMet(prefers, tags));
  return [
    {
      code: 'left-to-others',
      message:
        `it prefers workers with ${prefers.join(', ')} (${listText(namesOf(preferred))}); ` +
        `the others leave it to them until ${timeText(dueMs + preferMs, nowMs)}`,
      command: undefined,
      details: { prefers, until: isoTime(dueMs + preferMs), preferred: namesOf(preferred) },
    },
  ];
}

function next(lane: LaneFacts, free: readonly WorkerFacts[], place: PlaceFacts | undefined): Finding {
  const who = `${listText(namesOf(free))} ${free.length === 1 ? 'has' : 'have'} room`;
  const rank = place === undefined || place.ahead === 0 ? '' : queueingText(place);
  return {
    code: 'next',
    message: `nothing hinders ${place === undefined ? `jobs of kind ${lane.kind}` : 'it'}: ${who}${rank}`,
    command: undefined,
    details: { workers: namesOf(free), ...placeDetails(place) },
  };
}

/** `; 12 jobs go before it, at 3 a second that is 4 s`. */
function queueingText(place: PlaceFacts | undefined): string {
  if (place === undefined) return '';
  const { ahead, perSecond } = place;
  const before =
    ahead === 0
      ? 'it is the first of its kind'
      : `${jobsText(ahead)} of its kind ${ahead === 1 ? 'goes' : 'go'} before it`;
  if (perSecond === undefined || ahead === 0) return `; ${before}`;
  const rate = perSecond >= 10 ? perSecond.toFixed(0) : perSecond.toPrecision(2);
  return `; ${before}, at the ${rate} a second of the last minute that is ${spanText((ahead / perSecond) * 1_000)}`;
}

function placeDetails(place: PlaceFacts | undefined): Record<string, unknown> {
  return place === undefined ? {} : { ahead: place.ahead, perSecond: place.perSecond ?? null };
}

/** The first of the requirements that stand for one tag, and that none of the workers has. */
function missingTags(requirements: readonly string[], workers: readonly WorkerFacts[]): string[] {
  return requirements.filter((tag) => !workers.some(({ tags }) => requirementsMet([tag], tags)));
}

function tagFlags(tags: readonly string[]): string {
  return tags
    .filter((tag) => tag !== '*' && !tag.startsWith('/') && !tag.endsWith('=*'))
    .map((tag) => ` --tag ${tag.includes(' ') ? `'${tag}'` : tag}`)
    .join('');
}

function offerFlags(needs: LaneFacts['needs']): string {
  const texts = amountsText(needs).split(', ');
  return texts.map((text) => ` --offer ${text}`).join('');
}

function namesOf(workers: readonly WorkerFacts[]): string[] {
  return workers.slice(0, 50).map(({ workerId }) => workerId);
}

function buildsOf(workers: readonly WorkerFacts[]): string[] {
  return [...new Set(workers.map(({ build }) => build))].sort().slice(0, 50);
}

function isoTime(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString();
}
