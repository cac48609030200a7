/** The one place that says who may do what. Pure. */

import type { Caller } from '../http/caller.ts';

/** `read` changes nothing; `write` does; `work` is what workers do; `watch` is for who operates the server. */
export type Action = 'read' | 'write' | 'work' | 'watch';

/** What it is done to. */
export interface Subject {
  /** The route, with parameters as `:name`. */
  readonly route: string;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What a caller does with the route. Default: `read` for GET, `write` for all else. */
    action?: Action;
    /** Needs no key, also where others do. */
    open?: boolean;
  }
}

/** Keys have no groups and roles yet: who holds one may do everything, and so may everybody where none is demanded. */
export function mayDo(_caller: Caller, _action: Action, _subject: Subject): boolean {
  return true;
}
