/** How long the answer to a request is wanted: until its client goes away, or the server stops. For long polls and waits. */

import type { FastifyReply } from 'fastify';

declare module 'fastify' {
  interface FastifyReply {
    /** Aborted when the client goes away or the server stops: then answer at once with what there is. */
    lifetime(): AbortSignal;
  }
}

/** One for all: an error of its own for each poll, with a stack, would be most of what a poll costs. */
const over = new Error('the answer is not waited for any more');

/** Something that waits and can be told that it is over. */
interface Waiting {
  abort(why: unknown): void;
}

export class Lifetimes {
  private readonly open = new Set<Waiting>();
  /** The server stops. */
  stopped = false;

  of(reply: FastifyReply): AbortSignal {
    const controller = new AbortController();
    this.add(controller);
    reply.raw.once('close', () => {
      this.remove(controller);
      // After the answer nobody looks at the signal.
      if (!reply.raw.writableFinished) controller.abort(over);
    });
    return controller.signal;
  }

  /** It is told when the server stops, or at once where it does already. */
  add(waiting: Waiting): void {
    if (this.stopped) waiting.abort(over);
    this.open.add(waiting);
  }

  remove(waiting: Waiting): void {
    this.open.delete(waiting);
  }

  /** Everything that waits is answered now. */
  stop(): void {
    this.stopped = true;
    for (const waiting of this.open) waiting.abort(over);
    this.open.clear();
  }
}
