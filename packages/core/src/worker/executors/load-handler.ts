/**
 * Loads handlers that live in modules of their own; the same way in the worker, in threads and in children.
 */

import { isAbsolute } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describeValue, LineshaftError } from '../../domain/errors.ts';
import type { Handler, HandlerModule, HandlerSource } from '../handler.ts';

/** The URL of a handler's module. @throws HANDLER_INVALID */
export function handlerUrl(kind: string, source: HandlerModule): string {
  const { module } = source;
  if (module instanceof URL) return module.href;
  if (typeof module === 'string' && /^(file|data):/.test(module)) return module;
  if (typeof module === 'string' && isAbsolute(module)) return pathToFileURL(module).href;
  throw new LineshaftError('HANDLER_INVALID', {
    message:
      `the module of the handler for '${kind}' must be a file URL or an absolute path, not ` +
      `${describeValue(module)}; write new URL('./handlers.js', import.meta.url)`,
    details: { kind },
  });
}

/** Imports a module and takes the handler out of it. @throws HANDLER_INVALID */
export async function loadHandler(kind: string, url: string, exportName: string): Promise<Handler> {
  let exports: Record<string, unknown>;
  try {
    exports = (await import(/* @vite-ignore */ url)) as Record<string, unknown>;
  } catch (cause) {
    throw new LineshaftError('HANDLER_INVALID', {
      message: `the module of the handler for '${kind}' could not be loaded: ${url}`,
      details: { kind, module: url },
      cause,
    });
  }
  const handler = exports[exportName];
  if (typeof handler === 'function') return handler as Handler;
  const names = Object.keys(exports).join(', ');
  throw new LineshaftError('HANDLER_INVALID', {
    message:
      `the export '${exportName}' of ${url}, the handler for '${kind}', must be a function, ` +
      `not ${describeValue(handler)}; the module exports: ${names === '' ? 'nothing' : names}`,
    details: { kind, module: url },
  });
}

/** The refusal of a handler that an executor has no way to run. */
export function refuseHandler(kind: string, source: HandlerSource, executor: string, remedy: string): never {
  throw new LineshaftError('HANDLER_INVALID', {
    message: `the executor '${executor}' cannot run the ${source.type} that handles '${kind}'; ${remedy}`,
    details: { kind, executor },
  });
}
