/** Who makes a request. */

export interface Caller {
  /** The id of his key; undefined: nobody in particular, where no key is demanded. */
  readonly keyId: string | undefined;
  readonly name: string;
}

export const localCaller: Caller = { keyId: undefined, name: 'local' };

declare module 'fastify' {
  interface FastifyRequest {
    /** Set before any route is reached. */
    caller: Caller;
  }
}
