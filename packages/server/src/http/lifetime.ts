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

export class Lifetimes {
  private readonly open = new Set<AbortController>();
  /** The server stops. */
  stopped = false;

  of(reply: FastifyReply): AbortSignal {
    const controller = new AbortController();
    if (this.stopped) controller.abort(over);
    this.open.add(controller);
    reply.raw.once('close', () => {
      this.open.delete(controller);
      // After the answer nobody looks at the signal.
      if (!reply.raw.writableFinished) controller.abort(over);
    });
    return controller.signal;
  }

  /** Everything that waits is answered now. */
  stop(): void {
    this.stopped = true;
    for (const controller of this.open) controller.abort(over);
    this.open.clear();
  }
}
