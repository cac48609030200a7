/** Stacks as the user wants them: his own lines, with paths from the current folder. Pure. */

import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Paint } from './table.ts';
import { printable } from './text-width.ts';

/** Frames of Node and of Lineshaft say nothing to the user. */
const foreign = /\(?node:|[/\\](?:@lineshaft|packages)[/\\]core[/\\](?:dist|src)[/\\]/;
const framesMost = 12;

/**
 * The frames of a stack, without its first lines (name and message) and without frames of Node and Lineshaft;
 * empty where nothing is left.
 */
export function trimStack(stack: string | undefined, cwd: string, paint: Paint): string {
  const frames = (stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  const own = frames.filter((line) => !foreign.test(line));
  return own
    .slice(0, framesMost)
    .map((line) => `    ${shorten(printable(line.trim()), cwd)}`)
    .map((line) => (line.includes('node_modules') ? paint(line) : line))
    .join('\n');
}

/**
 * `at send (file:///home/ada/app/tasks/a.ts:5:9)` → `at send (tasks/a.ts:5:9)`. Paths may have blanks.
 */
function shorten(frame: string, cwd: string): string {
  return frame.replace(
    /((?:^at (?:async )?|\())((?:file:\/\/)?\/.*)(?=:\d+:\d+\)?$)/,
    (_, before: string, place: string) => {
      const path = place.startsWith('file:') ? pathOf(place) : place;
      const short = relative(cwd, path);
      return before + (short.startsWith('..') ? path : short);
    },
  );
}

function pathOf(url: string): string {
  try {
    // A fresh import of a module carries a query.
    return fileURLToPath(url.replace(/\?.*$/, ''));
  } catch {
    return url;
  }
}
