/**
 * What joins wait for, while a decision is made. Those of the state are not copied: a join of 10,000 branches costs a
 * decision that ends one of them no more than that one.
 */

import type { Step } from './run.ts';
import { awaitedRefs, type RunState } from './state.ts';
import { isDone } from './status.ts';

export class DraftJoins {
  readonly #state: RunState;
  readonly #latest: (ref: string) => Step | undefined;
  /** By the `seq` of a join of the state: refs of which something was told, whether it waits for them now, and how many more. */
  readonly #changed = new Map<number, { readonly refs: Map<string, boolean>; more: number }>();
  /** Joins that this decision made or opened again. */
  readonly #own = new Map<number, Set<string>>();
  readonly #ownOf = new Map<string, number[]>();

  constructor(state: RunState, latest: (ref: string) => Step | undefined) {
    this.#state = state;
    this.#latest = latest;
  }

  watch(join: Step): void {
    const waiting = new Set<string>();
    for (const ref of awaitedRefs(join)) {
      const joins = this.#ownOf.get(ref);
      if (joins === undefined) this.#ownOf.set(ref, [join.seq]);
      else if (!joins.includes(join.seq)) joins.push(join.seq);
      if (this.#waitsFor(ref)) waiting.add(ref);
    }
    this.#own.set(join.seq, waiting);
  }

  /** A ref is done, or not any more: the `seq` of the joins that name it. */
  tell(ref: string): readonly number[] {
    if (this.#state.joinsOf.size + this.#ownOf.size === 0) return [];
    const waits = this.#waitsFor(ref);
    const own = this.#ownOf.get(ref) ?? [];
    for (const seq of own) {
      const waiting = this.#own.get(seq);
      if (waits) waiting?.add(ref);
      else waiting?.delete(ref);
    }
    const known = [...(this.#state.joinsOf.get(ref) ?? [])].filter((seq) => !this.#own.has(seq));
    for (const seq of known) {
      const changed = this.#changed.get(seq) ?? { refs: new Map<string, boolean>(), more: 0 };
      this.#changed.set(seq, changed);
      const waited = changed.refs.get(ref) ?? this.#state.joins.get(seq)?.has(ref) ?? false;
      changed.refs.set(ref, waits);
      changed.more += Number(waits) - Number(waited);
    }
    return [...known, ...own];
  }

  /** How many refs a join still waits for. */
  waitingCount(seq: number): number {
    const own = this.#own.get(seq);
    if (own !== undefined) return own.size;
    return (this.#state.joins.get(seq)?.size ?? 0) + (this.#changed.get(seq)?.more ?? 0);
  }

  #waitsFor(ref: string): boolean {
    const step = this.#latest(ref);
    return step === undefined || !isDone(step);
  }
}
