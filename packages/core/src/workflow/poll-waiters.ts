/**
 * Who waits for steps, in memory: polls by kind and domain, what is known of each (that nothing waits there), and what the
 * next claim asks for. It neither asks the database nor knows time-outs.
 */

import { stepKind } from '../domain/workflow/step-kind.ts';
import type { PolledStep, PollRequest } from './port.ts';

/** One poll of a client that waits. */
export interface Poll {
  readonly pair: Pair;
  readonly workerId: string;
  readonly count: number;
  readonly resolve: (steps: PolledStep[]) => void;
  /** What it was given so far. */
  readonly steps: PolledStep[];
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

/** What a claim asks for: the values of `claim_remote.sql`, and whom each answer is for. */
export interface ClaimPlan {
  readonly pairs: readonly Pair[];
  readonly touched: readonly number[];
  readonly counts: readonly number[];
  readonly places: readonly (readonly Poll[])[];
  readonly holders: readonly string[];
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

  pairOf({ kind, domain }: Pick<PollRequest, 'kind' | 'domain'>): Pair {
    const key = domain === undefined ? kind : `${kind}\n${domain}`;
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
  touch(kind: string, domain: string | undefined): boolean {
    const pair = this.pairs.get(domain === undefined ? kind : `${kind}\n${domain}`);
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
  plan(): ClaimPlan {
    const pairs: Pair[] = [];
    for (const pair of this.urgent) {
      if (pairs.length === claimMaxSteps) break;
      pairs.push(pair);
      this.urgent.delete(pair);
    }
    const most = Math.max(Math.floor(claimMaxSteps / Math.max(pairs.length, 1)), 1);
    const places = pairs.map((pair) => placesOf(pair, most));
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
      if (poll.count - poll.steps.length >= round) places.push(poll);
    }
    if (places.length === before) break;
  }
  return places;
}
