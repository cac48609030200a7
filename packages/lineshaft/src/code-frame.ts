/**
 * Where a module does not parse: Node tells it when it runs a program, but not when one module imports
 * another.
 */

import { spawnSync } from 'node:child_process';

const checkLimitMs = 5_000;

/** The place of a syntax error as `file:line`, the line, and a mark under it; undefined for other errors. */
export function codeFrame(error: unknown, file: string): string | undefined {
  if (!(error instanceof SyntaxError)) return undefined;
  return frameIn(error.stack ?? '') ?? frameIn(checkSyntax(file));
}

/** What stands before the name of the error. */
function frameIn(report: string): string | undefined {
  const end = report.search(/^\w*Error\b/m);
  const frame = end > 0 ? report.slice(0, end).trimEnd() : '';
  if (!/:\d+\n/.test(frame)) return undefined;
  return frame.replace(/^file:\/\//, '');
}

function checkSyntax(file: string): string {
  return (
    spawnSync(process.execPath, ['--check', file], { encoding: 'utf8', timeout: checkLimitMs }).stderr ?? ''
  );
}
