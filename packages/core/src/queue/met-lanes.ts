/**
 * Which lanes this producer has met. Writers side by side that each make the same new lane cannot see the one of the
 * other before it commits: each would wait for it, and then make its own. So batches with new lanes are written one after
 * the other, and all others beside them.
 */

import type { PreparedJob } from './enqueue-batch.ts';

/** More are forgotten, and met again. */
const knownMost = 20_000;

export class MetLanes {
  private readonly known = new Set<string>();
  private last: Promise<unknown> = Promise.resolve();

  /** Runs a write of jobs, which must not take long; alone, if it makes lanes. */
  async write<Answer>(jobs: readonly PreparedJob[], write: () => Promise<Answer>): Promise<Answer> {
    const lanes = this.newLanesOf(jobs);
    if (lanes.length === 0) return await write();
    const before = this.last;
    const turn = Promise.withResolvers<void>();
    this.last = turn.promise;
    try {
      await before;
      // Those before may have made them.
      if (lanes.every((lane) => this.known.has(lane))) turn.resolve();
      const answer = await write();
      if (this.known.size + lanes.length > knownMost) this.known.clear();
      for (const lane of lanes) this.known.add(lane);
      return answer;
    } finally {
      turn.resolve();
    }
  }

  private newLanesOf(jobs: readonly PreparedJob[]): string[] {
    const templates = new Map(jobs.map(({ templateKey, template }) => [templateKey, template]));
    const lanes = new Set<string>();
    for (const { queue, project, kind, requirements, pin, build, needs, prefers } of templates.values()) {
      const lane = JSON.stringify([queue, project, kind, requirements, pin, build, needs, prefers]);
      if (!this.known.has(lane)) lanes.add(lane);
    }
    return [...lanes];
  }
}
