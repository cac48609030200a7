/** `lineshaft doctor`: what is wrong with the database, or soon will be. */

import type { Finding } from '@lineshaft/core';
import type { Command } from 'commander';
import { exitCodes } from '../output/exit-codes.ts';
import type { Screen, Style } from '../output/screen.ts';
import { oneLine } from '../output/text-width.ts';
import { action, type Context, type Session } from './context.ts';

const marks: Readonly<Record<Finding['severity'], readonly [string, Style]>> = {
  ok: ['ok     ', 'green'],
  warning: ['warning', 'yellow'],
  error: ['error  ', 'red'],
};

export function addDoctor(program: Command, session: Session): void {
  program
    .command('doctor')
    .description(
      'examine the database: schema, partitions, vacuum, clocks, workers; exit code 1 if something is wrong',
    )
    .action(action(session, doctor));
}

async function doctor({ screen, open }: Context): Promise<number> {
  const { lineshaft, where } = await open();
  const findings = await lineshaft.examine();
  const errors = findings.filter(({ severity }) => severity === 'error').length;
  const warnings = findings.filter(({ severity }) => severity === 'warning').length;
  screen.result({ findings, errors, warnings }, () => {
    const lines = findings.map((finding) => describe(finding, screen));
    const summary =
      errors + warnings === 0 ? 'all is well' : `${count(errors, 'error')}, ${count(warnings, 'warning')}`;
    return `${screen.style('dim', where)}\n${lines.join('\n')}\n${screen.style('bold', summary)}`;
  });
  return errors > 0 ? exitCodes.failed : exitCodes.ok;
}

function describe({ severity, title, detail, remedy }: Finding, screen: Screen): string {
  const [mark, style] = marks[severity];
  const indent = ' '.repeat(mark.length + 2);
  const rest = [detail, remedy === '' ? '' : `→ ${remedy}`].filter((line) => line !== '');
  return [
    `${screen.style(style, mark)}  ${oneLine(title)}`,
    ...rest.map((line) => indent + oneLine(line)),
  ].join('\n');
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}
