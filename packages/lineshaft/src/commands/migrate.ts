/** `lineshaft migrate`: brings the schema up to date. */

import { resolve } from 'node:path';
import type { MigrationReport } from '@lineshaft/core';
import type { Command } from 'commander';
import { wholeNumber } from '../option-parsers.ts';
import type { Screen } from '../output/screen.ts';
import { loadPlugins } from '../plugins-file.ts';
import { action, type Context, type Session } from './context.ts';

interface MigrateFlags {
  readonly to?: number;
  readonly plan?: boolean;
  readonly tasks?: string;
}

export function addMigrate(program: Command, session: Session): void {
  program
    .command('migrate')
    .description('bring the schema of the database up to date; safe to run from many processes at once')
    .option('--to <version>', 'stop after this version', wholeNumber('--to', 1))
    .option('--tasks <folder>', 'where _plugins.ts is, whose migrations run too (default: tasks)')
    .option('--plan', 'only tell what would be done, and what it locks')
    .action(action<MigrateFlags>(session, migrate));
}

async function migrate({ screen, flags, host, open }: Context<MigrateFlags>): Promise<undefined> {
  const plugins = await loadPlugins(resolve(host.cwd, flags.tasks ?? 'tasks'));
  const { lineshaft } = await open(plugins);
  const report = await lineshaft.migrate({
    ...(flags.to === undefined ? {} : { to: flags.to }),
    plan: flags.plan === true,
    ...(screen.json ? {} : { log: (line: string) => host.stderr.write(`${line}\n`) }),
  });
  screen.result(report, () => describe(report, screen));
  return undefined;
}

function describe({ schema, planned, from, current, steps }: MigrationReport, screen: Screen): string {
  if (steps.length === 0) return `schema '${schema}' is up to date (version ${current})`;
  const table = screen.table(
    [
      { title: 'version', value: ({ version }) => version, align: 'right' },
      {
        title: 'migration',
        value: ({ plugin, file }) => (plugin === undefined ? file : `${plugin}/${file}`),
      },
      { title: 'locks', value: ({ lockCost }) => lockCost, gives: true },
    ],
    steps,
  );
  const what = planned
    ? `schema '${schema}' is at version ${from}; this would run:`
    : `schema '${schema}' was brought from version ${from} to ${current}:`;
  return `${what}\n${table}`;
}
