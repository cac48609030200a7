/** The name of the limit that a task definition makes: as the SQL function `limit_task` has it. */

import { createHash } from 'node:crypto';

const longestName = 58;

/** @example taskLimit('resize') // 'task.resize' */
export function taskLimit(taskName: string): string {
  if (new RegExp(`^[A-Za-z0-9_.-]{1,${longestName}}$`).test(taskName)) return `task.${taskName}`;
  const readable = [...taskName]
    .slice(0, 25)
    .join('')
    .replaceAll(/[^A-Za-z0-9_.-]/gu, '_');
  return `task.${readable}-${createHash('md5').update(taskName).digest('hex')}`;
}
