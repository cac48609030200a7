/**
 * Tells the user of an error: as text, or as `{"error": {code, message, details}}`; always on standard error.
 */

import { styleText } from 'node:util';
import type { ErrorCategory } from '@lineshaft/core';
import type { Host } from '../host.ts';
import { exitCodeOf, exitCodes } from './exit-codes.ts';
import { printable } from './text-width.ts';

interface Report {
  readonly code: string;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
  readonly exitCode: number;
}

/** Prints an error and returns the exit code that it stands for. */
export function reportError(thrown: unknown, host: Host, json: boolean): number {
  const { exitCode, ...error } = describeError(thrown);
  if (json) {
    host.stderr.write(`${JSON.stringify({ error })}\n`);
    return exitCode;
  }
  const label = styleText('red', 'error:', { stream: host.stderr });
  const remedy = error.code === 'DATABASE_UNAVAILABLE' ? '; check its address, and that the server runs' : '';
  host.stderr.write(`${label} ${printable(error.message)}${remedy}\n`);
  const stack = thrown instanceof Error ? thrown.stack : undefined;
  if (host.env['LINESHAFT_DEBUG']) host.stderr.write(`${stack ?? String(thrown)}\n`);
  else if (error.code === 'INTERNAL') {
    host.stderr.write('This is a bug of Lineshaft; LINESHAFT_DEBUG=1 shows where it happened.\n');
  }
  return exitCode;
}

/** Errors are known by their shape, so that the core need not be loaded to print one. */
function describeError(thrown: unknown): Report {
  if (typeof thrown === 'object' && thrown !== null) {
    const error = thrown as Partial<Record<'name' | 'code' | 'message' | 'category' | 'details', unknown>>;
    const message = typeof error.message === 'string' ? error.message : '';
    if (error.name === 'LineshaftError' && typeof error.code === 'string') {
      const { code } = error;
      const exitCode = exitCodeOf({ code, category: error.category as ErrorCategory });
      return { code, message, details: (error.details ?? {}) as Report['details'], exitCode };
    }
    if (typeof error.code === 'string' && error.code.startsWith('commander.'))
      return usageReport(error.code, message);
  }
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return { code: 'INTERNAL', message, details: {}, exitCode: exitCodes.failed };
}

/** What the parser of the command line says: `error: unknown option '--quue'\n(Did you mean --queue?)`. */
function usageReport(code: string, text: string): Report {
  const message = text
    .replace(/^error: /, '')
    .replace(/\n\(Did you mean (.*)\?\)$/s, '; did you mean $1?')
    .replace(
      /^option '(?:-\w, )?(--[\w-]+).*?' argument '(.*)' is invalid\. Allowed choices are (.*)\.$/s,
      (_, option: string, value: string, choices: string) =>
        `${option} must be one of ${choices}, not '${value}'`,
    )
    .replace(
      /^command-argument value '(.*)' is invalid for argument '(.*)'\. Allowed choices are (.*)\.$/s,
      (_, value: string, argument: string, choices: string) =>
        `${argument} must be one of ${choices}, not '${value}'`,
    );
  const unknown = code === 'commander.unknownOption' || code === 'commander.unknownCommand';
  const field = /--[\w-]+/.exec(message)?.[0];
  return {
    code: unknown ? 'OPTION_UNKNOWN' : 'OPTION_INVALID',
    message,
    details: field === undefined ? {} : { field },
    exitCode: exitCodes.invalid,
  };
}
