/** Which kinds a worker knows, and what runs them. */

import type { Amounts } from '../domain/amounts.ts';
import { LineshaftError } from '../domain/errors.ts';
import type { HandlingOptions, KindDefinition } from '../domain/kinds.ts';
import type { ExecutorName } from './executors/port.ts';
import type { Handler, HandlerCommand, HandlerModule, HandlerSource } from './handler.ts';
import { kindAmount } from './lanes.ts';

/** What may stand for a handler: a function, the module that exports it, or a program. */
export type HandlerLike = Handler<never> | HandlerModule | HandlerCommand | HandlerSource;

export interface RegisteredKind {
  readonly kind: string;
  readonly source: HandlerSource;
  readonly definition: KindDefinition<unknown> | undefined;
  /** The executor that this kind asks for; undefined: that of its queue. */
  readonly executor: ExecutorName | undefined;
}

/** Reads what the user gave for a kind. @throws LineshaftError HANDLER_INVALID */
export function handlerSource(kind: string, given: unknown): HandlerSource {
  if (typeof given === 'function') return { type: 'function', handler: given as Handler };
  if (typeof given === 'object' && given !== null) {
    const source = given as Partial<HandlerModule & HandlerCommand>;
    if (source.module !== undefined) {
      return {
        type: 'module',
        module: source.module,
        ...(source.export === undefined ? {} : { export: source.export }),
      };
    }
    if (source.command !== undefined) return { ...source, type: 'command', command: source.command };
  }
  throw new LineshaftError('HANDLER_INVALID', {
    message: `the handler of '${kind}' must be a function, { module } or { command }`,
    details: { kind },
  });
}

/** The amounts that a worker offers for kinds whose concurrency is given. */
export function kindAmounts(kinds: ReadonlyMap<string, RegisteredKind>): Amounts {
  const limited = [...kinds.values()].flatMap(({ kind, definition }) =>
    definition?.concurrency === undefined ? [] : [[kindAmount(kind), definition.concurrency] as const],
  );
  return Object.fromEntries(limited);
}

export function registerKinds(
  handlers: Readonly<Record<string, unknown>>,
  definitions: Readonly<Record<string, KindDefinition<unknown> | undefined>>,
  handling: Readonly<Record<string, HandlingOptions>> = {},
): ReadonlyMap<string, RegisteredKind> {
  const kinds = new Map<string, RegisteredKind>();
  for (const [kind, given] of Object.entries(handlers)) {
    const definition =
      handling[kind] === undefined ? definitions[kind] : { ...definitions[kind], ...handling[kind] };
    const source = handlerSource(kind, given);
    const executor = definition?.executor ?? (source.type === 'command' ? 'command' : undefined);
    kinds.set(kind, { kind, source, definition, executor });
  }
  return kinds;
}
