/** `lineshaft prune`: forgets finished jobs, or says which would be forgotten. */

import type { PruneGroup, PruneProgress, PruneReport, RuleLike } from '@lineshaft/core';
import type { Command } from 'commander';
import { describeTime } from '../durations.ts';
import { duration, repeated, wholeNumber } from '../option-parsers.ts';
import { Progress } from '../output/progress.ts';
import type { Screen } from '../output/screen.ts';
import type { Column } from '../output/table.ts';
import { UsageError } from '../usage-error.ts';
import { action, type Context, type Session } from './context.ts';

interface PruneFlags {
  readonly rule?: string[];
  readonly dryRun?: boolean;
  readonly batch?: number;
  readonly gentle?: boolean;
  readonly runsOlderThan?: number;
  readonly runsMost?: number;
}

export function addPrune(program: Command, session: Session): void {
  program
    .command('prune')
    .description('forget finished jobs that are past their time, too many for their queue, or fit a rule')
    .option(
      '--rule <rule>',
      "such as 'finishedAge > 7d and queue = mail', or a rule as JSON (repeat: any of them)",
      repeated,
    )
    .option('--dry-run', 'only count them, by queue and outcome')
    .option('--batch <number>', 'jobs in one statement, 1 to 100000 (default: 10000)', wholeNumber('--batch'))
    .option(
      '--runs-older-than <duration>',
      'also forget runs of workflows that ended so long ago, unless their workflow says otherwise',
      duration('--runs-older-than'),
    )
    .option(
      '--runs-most <number>',
      'also keep only so many runs of each workflow that have ended, unless it says otherwise',
      wholeNumber('--runs-most'),
    )
    .option('--gentle', 'rest as long as it works, as the service does')
    .action(action(session, prune));
}

async function prune(context: Context<PruneFlags>): Promise<undefined> {
  const { flags, host, screen } = context;
  const rules = (flags.rule ?? []).map(readRule);
  const { data } = await context.open();
  const progress = new Progress(host, flags.dryRun === true ? 'counting' : 'pruning');
  const options = {
    ...(rules.length === 0 ? {} : { rules }),
    ...(flags.batch === undefined ? {} : { batch: flags.batch }),
    ...(flags.gentle === true ? { gentle: true } : {}),
    runs: {
      ...(flags.runsOlderThan === undefined ? {} : { maxAgeMs: flags.runsOlderThan }),
      ...(flags.runsMost === undefined ? {} : { maxCount: flags.runsMost }),
    },
    onProgress: ({ seen, total }: PruneProgress & { total: number }) => progress.update(seen, total),
  };
  const nowMs = Date.now();
  try {
    if (flags.dryRun === true) {
      const groups = await data.countPrunable(options);
      progress.end();
      const jobs = groups.reduce((sum, group) => sum + group.jobs, 0);
      screen.result({ dryRun: true, jobs, groups }, () => describeGroups(groups, jobs, screen, nowMs));
      return;
    }
    const report = await data.prune(options);
    progress.end();
    screen.result({ dryRun: false, ...report }, () => describeReport(report, nowMs));
  } finally {
    progress.end();
  }
}

/** A rule in text stays as it is; one that begins like JSON is read. */
function readRule(text: string): RuleLike {
  if (!text.trimStart().startsWith('{')) return text;
  try {
    return JSON.parse(text) as RuleLike;
  } catch (error) {
    throw new UsageError(`--rule is not JSON: ${(error as Error).message}`, { field: '--rule' });
  }
}

function describeGroups(groups: readonly PruneGroup[], jobs: number, screen: Screen, nowMs: number): string {
  if (jobs === 0) return 'nothing would be forgotten';
  const columns: Column<PruneGroup>[] = [
    { title: 'queue', value: ({ queue }) => queue },
    { title: 'project', value: ({ project }) => project },
    { title: 'outcome', value: ({ outcome }) => outcome },
    { title: 'jobs', value: (group) => group.jobs.toLocaleString('en'), align: 'right' },
    { title: 'finished first', value: ({ oldest }) => describeTime(oldest, nowMs) },
    { title: 'finished last', value: ({ newest }) => describeTime(newest, nowMs) },
  ];
  return `${screen.table(columns, groups)}\n\n${count(jobs, 'job')} would be forgotten`;
}

function describeReport(report: PruneReport, nowMs: number): string {
  const { pruned, runs, partitions, oldest, newest } = report;
  const lines = [`${count(pruned, 'job')} forgotten`];
  if (runs > 0) lines.push(`${count(runs, 'run')} forgotten`);
  if (oldest !== undefined && newest !== undefined) {
    lines.push(`they finished ${describeTime(oldest, nowMs)} to ${describeTime(newest, nowMs)}`);
  }
  if (partitions.length > 0) lines.push(`dropped with all that was in them: ${partitions.join(', ')}`);
  return lines.join('\n');
}

function count(number: number, what: string): string {
  return `${number.toLocaleString('en')} ${what}${number === 1 ? '' : 's'}`;
}
