/**
 * Idle workers of this process: a job that is enqueued here while one of them has nothing to do is handed to it by the
 * statement that writes the job. What would be two commits and a message is one commit.
 */

/** A place that a worker has for one job of a lane. */
export interface Place {
  /** The row of the worker, under which the job is leased. */
  readonly worker: string;
  readonly lane: number;
  /** The job is the worker's, under this lease. @param createdMs by the database's clock */
  take(job: {
    readonly lease: string;
    readonly id: string;
    readonly createdMs: string;
    readonly payloadText: string;
  }): void;
  /** Nothing comes: the job waits its turn, or was not written. */
  leave(): void;
}

export interface Taker {
  /** A place for a job of a queue of the default project; undefined: there is none, or others would come first. */
  offer(queue: string, kind: string): Place | undefined;
}

export class Takers {
  private readonly takers = new Set<Taker>();

  /** Returns what takes it out again. */
  add(taker: Taker): () => void {
    this.takers.add(taker);
    return () => this.takers.delete(taker);
  }

  offer(queue: string, kind: string): Place | undefined {
    for (const taker of this.takers) {
      const place = taker.offer(queue, kind);
      if (place !== undefined) return place;
    }
    return undefined;
  }
}
