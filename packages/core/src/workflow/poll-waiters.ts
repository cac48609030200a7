/**
 * Who waits for steps, in memory: polls by kind and domain, what is known of each (that nothing waits there), and what the
 * next claim asks for. It neither asks the database nor knows time-outs.
 */

import { stepKind } from '../domain/workflow/step-kind.ts';
import type { StepsOf } from './claim-beside.ts';
import type { Timed } from './poll-wheel.ts';
import type { PolledStep, PollRequest } from './port.ts';

/** One poll of a client that waits. */
export interface Poll extends Timed {
  readonly pair: Pair;
  readonly workerId: string;
  readonly count: number;
  /** Its answer counts as sent when it is given; false: when that is said. */
  readonly confirmed: boolean;
  readonly resolve: (steps: PolledStep[]) => void;
  /** What it was given so far. */
  readonly steps: PolledStep[];
  /** What claims that are under way ask for it. */
  asked: number;
  /** Its time is over: it is answered after the claim that is under way. */
  expired: boolean;
  /** It was answered, or its client has gone. */
  over: boolean;
  readonly leave: () => void;
}

/** All polls for the same steps. */
export interface Pair {
  readonly kind: string;
  readonly domain: string | undefined;
  /** As their jobs have it; empty: no step can have this kind. */
  readonly jobKind: string;
  /** Those who wait, the longest first. */
  readonly polls: Set<Poll>;
  /** The worker that polled last. */
  last: string;
  /** Counts what makes it worth a look: a claim that was under way meanwhile does not call it empty. */
  touched: number;
  /** With the number of wakes at which nothing waited here; -1: not known. */
  emptyAt: number;
  /** When it was found empty, by the monotonic clock. */
  emptyAtMs: number;
}

/** What a claim asks for, and whom each answer is for. */
export interface ClaimPlan {
  readonly pairs: readonly Pair[];
  readonly touched: readonly number[];
  readonly counts: readonly number[];
  readonly places: readonly (readonly Poll[])[];
  readonly holders: readonly string[];
}

/** The values of `claim_remote.sql`. @param claim its name */
export function claimValues({ pairs, counts, holders }: ClaimPlan, claim: string): unknown[] {
  const jobKinds = pairs.map(({ jobKind }) => jobKind);
  return [jobKinds, pairs.map(({ domain }) => domain ?? null), counts, holders, claim];
}

/** Steps and pairs in one claim. */
const claimMaxSteps = 1_000;
/** Pairs that nobody waits for are forgotten when there are more. */
const idlePairsMost = 10_000;

export class PollWaiters {
  private readonly pairs = new Map<string, Pair>();
  /** Pairs with polls that are worth a look now, those that wait longest first. */
  private readonly urgent = new Set<Pair>();
  /** Pairs with polls. */
  private readonly awaited = new Set<Pair>();
  polls = 0;

  /** undefined: nobody has polled for it of late. */
  find({ kind, domain }: StepsOf): Pair | undefined {
    return this.pairs.get(keyOf(kind, domain));
  }

  pairOf({ kind, domain }: Pick<PollRequest, 'kind' | 'domain'>): Pair {
    const key = keyOf(kind, domain);
    let pair = this.pairs.get(key);
    if (pair === undefined) {
      if (this.pairs.size >= idlePairsMost) this.forgetIdle();
      pair = {
        kind,
        domain,
        jobKind: stepKind(kind) ?? '',
        polls: new Set(),
        last: '',
        touched: 0,
        emptyAt: -1,
        emptyAtMs: 0,
      };
      this.pairs.set(key, pair);
    }
    return pair;
  }

  add(poll: Poll, worthALook: boolean): void {
    poll.pair.polls.add(poll);
    poll.pair.last = poll.workerId;
    this.awaited.add(poll.pair);
    if (worthALook) this.urgent.add(poll.pair);
    this.polls += 1;
  }

  remove(poll: Poll): void {
    if (!poll.pair.polls.delete(poll)) return;
    this.polls -= 1;
    if (poll.pair.polls.size > 0) return;
    this.awaited.delete(poll.pair);
    this.urgent.delete(poll.pair);
  }

  /** Steps of this kind have come: whoever waits for them looks at once. Returns whether somebody does. */
  touch(steps: StepsOf): boolean {
    const pair = this.pairs.size === 0 ? undefined : this.find(steps);
    if (pair === undefined) return false;
    pair.touched += 1;
    pair.emptyAt = -1;
    if (pair.polls.size === 0) return false;
    this.urgent.add(pair);
    return true;
  }

  /** All that somebody waits for is worth a look. */
  touchAll(): void {
    for (const pair of this.awaited) this.urgent.add(pair);
  }

  /** There may be more: the last claim gave all that was asked for. */
  again(pair: Pair): void {
    if (pair.polls.size > 0) this.urgent.add(pair);
  }

  get anyUrgent(): boolean {
    return this.urgent.size > 0;
  }

  *waiting(): Iterable<Poll> {
    for (const pair of this.awaited) for (const poll of pair.polls) yield poll;
  }

  /** Of each pair that somebody waits for the worker that came last. */
  *lastPolls(): Iterable<{ kind: string; domain: string | undefined; workerId: string }> {
    for (const pair of this.awaited) {
      const { kind, domain, last } = pair;
      yield { kind, domain, workerId: last };
    }
  }

  /**
   * What is asked next, as much as one claim takes; the rest stays urgent. Steps of a pair go to its polls in turn, one each,
   * then a second each: who asks for a hundred leaves some to the others.
   */
  plan(): ClaimPlan | undefined {
    const pairs: Pair[] = [];
    for (const pair of this.urgent) {
      if (pairs.length === claimMaxSteps) break;
      pairs.push(pair);
    }
    return this.planOf(pairs);
  }

  /** The same of these kinds alone, as far as somebody waits for them; undefined: nobody does. */
  planFor(steps: Iterable<StepsOf>): ClaimPlan | undefined {
    if (this.polls === 0) return undefined;
    const pairs = new Set<Pair>();
    for (const of of steps) {
      const pair = this.find(of);
      if (pair !== undefined && pair.polls.size > 0 && pairs.size < claimMaxSteps) pairs.add(pair);
    }
    return this.planOf([...pairs]);
  }

  /** A claim is over, whatever it gave. */
  over({ places }: ClaimPlan): void {
    for (const list of places) for (const poll of list) poll.asked -= 1;
  }

  private planOf(worth: readonly Pair[]): ClaimPlan | undefined {
    const most = Math.max(Math.floor(claimMaxSteps / Math.max(worth.length, 1)), 1);
    const pairs: Pair[] = [];
    const places: (readonly Poll[])[] = [];
    for (const pair of worth) {
      this.urgent.delete(pair);
      const list = placesOf(pair, most);
      // Another claim asks for all of them; when it is over it says whether to look again.
      if (list.length === 0) continue;
      for (const poll of list) poll.asked += 1;
      pairs.push(pair);
      places.push(list);
    }
    if (pairs.length === 0) return undefined;
    return {
      pairs,
      touched: pairs.map((pair) => pair.touched),
      counts: places.map((list) => list.length),
      places,
      holders: places.flatMap((list) => list.map(({ workerId }) => workerId)),
    };
  }

  private forgetIdle(): void {
    for (const [key, pair] of this.pairs) if (pair.polls.size === 0) this.pairs.delete(key);
  }
}

function placesOf(pair: Pair, most: number): Poll[] {
  const places: Poll[] = [];
  for (let round = 1; places.length < most; round += 1) {
    const before = places.length;
    for (const poll of pair.polls) {
      if (places.length === most) break;
      if (poll.count - poll.steps.length - poll.asked >= round) places.push(poll);
    }
    if (places.length === before) break;
  }
  return places;
}

function keyOf(kind: string, domain: string | undefined): string {
  return domain === undefined ? kind : `${kind}\n${domain}`;
}
