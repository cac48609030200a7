/** How long the answer to a request is wanted: until its client goes away, or the server stops. For long polls and waits. */

import type { FastifyReply } from 'fastify';

declare module 'fastify' {
  interface FastifyReply {
    /** Aborted when the client goes away or the server stops: then answer at once with what there is. */
    lifetime(): AbortSignal;
  }
}

export class Lifetimes {
  private readonly open = new Set<AbortController>();
  /** The server stops. */
  stopped = false;

  of(reply: FastifyReply): AbortSignal {
    const controller = new AbortController();
    if (this.stopped) controller.abort();
    this.open.add(controller);
    // Also told when the answer was written, after which nobody looks at the signal.
    reply.raw.once('close', () => {
      this.open.delete(controller);
      controller.abort();
    });
    return controller.signal;
  }

  /** Everything that waits is answered now. */
  stop(): void {
    this.stopped = true;
    for (const controller of this.open) controller.abort();
    this.open.clear();
  }
}
