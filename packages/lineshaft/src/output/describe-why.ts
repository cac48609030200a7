/** How reasons for waiting are shown to people. */

import type { Reason, Why } from '@lineshaft/core';
import { stateStyle } from './describe.ts';
import type { Screen, Style } from './screen.ts';
import { printable } from './text-width.ts';

/** Codes that say that all is well; the others say that something is in the way. */
const well: ReadonlySet<string> = new Set([
  'next',
  'running',
  'claimed',
  'finished',
  'nothing-waits',
  'not-due',
]);

/** What was asked about, and each reason with its command. */
export function describeWhy(why: Why, screen: Screen): string {
  return [headOf(why, screen), ...why.reasons.map((reason) => describeReason(reason, why, screen))].join(
    '\n',
  );
}

function headOf({ subject, name, state, kind, queue, project }: Why, screen: Screen): string {
  const of = project === undefined || project === 'default' ? '' : ` (project ${project})`;
  if (subject !== 'job') return screen.style('bold', `${subject} ${name}${of}`);
  const where = screen.style('dim', `, kind ${kind}, queue ${queue}${of}`);
  return `${screen.style('bold', `job ${name}`)} is ${screen.style(stateStyle(state ?? ''), state ?? '')}${where}`;
}

function describeReason({ code, message, command, jobs }: Reason, { subject }: Why, screen: Screen): string {
  const style: Style =
    code === 'failed' || code === 'worker-lost' ? 'red' : well.has(code) ? 'green' : 'yellow';
  const count =
    subject === 'job' || jobs === 0
      ? ''
      : `${jobs > 1_000 ? 'more than 1000' : jobs} ${jobs === 1 ? 'job' : 'jobs'}: `;
  const lines = [`${screen.style(style, code)}  ${count}${printable(message)}`];
  if (command !== undefined) lines.push(`  → ${command}`);
  return lines.join('\n');
}
