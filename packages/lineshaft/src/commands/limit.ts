/** `lineshaft limit …`: how many jobs may run at once or start in a time; declared and changed while workers run. */

import type { LimitDeclaration } from '@lineshaft/core';
import type { Command } from 'commander';
import { describeDuration, parseDuration } from '../durations.ts';
import { duration, repeated, wholeNumber } from '../option-parsers.ts';
import { describeLimit, describeLimits } from '../output/describe-limit.ts';
import { UsageError } from '../usage-error.ts';
import { action, type Context, type Session } from './context.ts';

interface ProjectFlag {
  readonly project?: string;
}

interface DeclareFlags extends ProjectFlag {
  readonly concurrency?: number;
  readonly rate?: string;
  readonly burst?: number;
  readonly sliding?: boolean;
  readonly fifo?: boolean;
  readonly fair?: boolean;
  readonly key?: string;
  readonly cost?: string;
  readonly tier?: string[];
  readonly queue?: string[];
  readonly kind?: string[];
  readonly wholeProject?: boolean;
}

interface ThrottleFlags extends ProjectFlag {
  readonly for?: number;
}

export function addLimit(program: Command, session: Session): void {
  const limit = program.command('limit').description('list, show, declare and delete limits');
  limit.command('list').description('all limits').action(action(session, list));
  const named = (name: string, description: string): Command =>
    limit
      .command(name)
      .description(description)
      .argument('<name>', 'name of the limit')
      .option('--project <name>', 'its project (default: default)');
  named('show', 'what it grants, and which of its keys are in use').action(
    action<ProjectFlag>(session, show),
  );
  named('declare', 'make a limit, or change the settings that are given')
    .option(
      '-c, --concurrency <number>',
      'how many jobs run at once, per key',
      wholeNumber('--concurrency', 0),
    )
    .option('--rate <rate>', 'how many start in a time, per key: 100/1s, 5000/1h')
    .option(
      '--burst <number>',
      'how many start at once after a rest (default: those of a period)',
      wholeNumber('--burst', 1),
    )
    .option('--sliding', 'in no stretch of time of that length start more than --rate says')
    .option('--fifo', 'jobs of a key run one after the other')
    .option('--fair', 'keys take turns')
    .option(
      '--key <source>',
      'where the key of a job is: payload:PATH, label:NAME, given or none (default: none)',
    )
    .option('--cost <cost>', 'what a job takes of it: a number, or payload:PATH (default: 1)')
    .option(
      '--tier <tier>',
      'what keys of a pattern have instead: gold-*=50 (at once), gold-*=100/1s (repeat)',
      repeated,
    )
    .option('-q, --queue <name>', 'jobs of this queue come under it (repeat)', repeated)
    .option('-k, --kind <name>', 'jobs of this kind come under it (repeat)', repeated)
    .option('--whole-project', 'all jobs of its project come under it')
    .action(action<DeclareFlags>(session, declareLimit));
  named('throttle', 'let nothing start under a limit, or one of its keys, for a while')
    .argument('[key]', 'the key; without one, that of jobs that have none')
    .option('--for <duration>', 'for how long: 30s; 0ms opens it again', duration('--for'))
    .action(action<ThrottleFlags>(session, throttle));
  named('delete', 'remove a limit; what it held back goes on').action(action<ProjectFlag>(session, remove));
}

async function list({ screen, open }: Context): Promise<undefined> {
  const { data } = await open();
  const limits = await data.limits();
  screen.result({ limits }, () =>
    limits.length === 0
      ? 'no limits; declare one: lineshaft limit declare NAME'
      : describeLimits(limits, screen),
  );
  return undefined;
}

async function show({
  screen,
  host,
  flags,
  args: [name = ''],
  open,
}: Context<ProjectFlag>): Promise<undefined> {
  const { data } = await open();
  const shown = await data.showLimit(name, of(flags));
  screen.result(shown, () => describeLimit(shown, screen, host.now()));
  return undefined;
}

async function declareLimit({ screen, flags, args, open }: Context<DeclareFlags>): Promise<undefined> {
  const declaration = declarationOf(args[0] ?? '', flags);
  const { data } = await open();
  const limit = await data.declareLimit(declaration);
  screen.result(limit, () => `limit ${limit.name} is declared; see: lineshaft limit show ${limit.name}`);
  return undefined;
}

async function throttle({ screen, flags, args, open }: Context<ThrottleFlags>): Promise<undefined> {
  const [name = '', key = ''] = args;
  const { for: forMs } = flags;
  if (forMs === undefined)
    throw new UsageError('--for says for how long: lineshaft limit throttle NAME [KEY] --for 30s', {
      field: '--for',
    });
  const { data } = await open();
  await data.throttleLimit(name, { ...of(flags), key, forMs });
  const which = key === '' ? `limit ${name}` : `key ${key} of limit ${name}`;
  screen.result({ limit: name, key, forMs }, () =>
    forMs === 0 ? `${which} is open` : `nothing starts under ${which} for ${describeDuration(forMs)}`,
  );
  return undefined;
}

async function remove({ screen, flags, args: [name = ''], open }: Context<ProjectFlag>): Promise<undefined> {
  const { data } = await open();
  await data.deleteLimit(name, of(flags));
  screen.result({ deleted: name }, () => `limit ${name} is deleted`);
  return undefined;
}

function declarationOf(name: string, flags: DeclareFlags): LimitDeclaration {
  const { concurrency, fifo, fair, wholeProject, queue, kind } = flags;
  const fields = {
    ...of(flags),
    concurrency,
    fifo,
    fair,
    wholeProject,
    rate: flags.rate === undefined ? undefined : rateOf(flags.rate, flags.burst, flags.sliding),
    key: flags.key === undefined ? undefined : keyOf(flags.key),
    cost: flags.cost === undefined ? undefined : costOf(flags.cost),
    tiers: flags.tier?.map(tierOf),
    queues: queue,
    kinds: kind,
  };
  const given = Object.entries(fields).filter(([, value]) => value !== undefined);
  return { name, ...Object.fromEntries(given) };
}

/** `gold-*=50`, `gold-*=100/1s`. */
function tierOf(text: string): NonNullable<LimitDeclaration['tiers']>[number] {
  const [, keys, grants = ''] = /^(.+)=([^=]+)$/.exec(text) ?? [];
  if (keys !== undefined && /^\d+$/.test(grants)) return { keys, concurrency: Number(grants) };
  const [, amount, period] = ratePattern.exec(grants) ?? [];
  if (keys === undefined || amount === undefined || period === undefined)
    throw new UsageError(`--tier must be like gold-*=50 or gold-*=100/1s, not '${text}'`, {
      field: '--tier',
    });
  return { keys, rate: { amount: Number(amount), perMs: parseDuration(period, '--tier') } };
}

const ratePattern = /^(\d+(?:\.\d+)?)\/(.+)$/;

function rateOf(
  text: string,
  burst: number | undefined,
  sliding: boolean | undefined,
): NonNullable<LimitDeclaration['rate']> {
  const [, amount, period] = ratePattern.exec(text) ?? [];
  if (amount === undefined || period === undefined)
    throw new UsageError(`--rate must be like 100/1s or 5000/1h, not '${text}'`, { field: '--rate' });
  const rate = { amount: Number(amount), perMs: parseDuration(period, '--rate') };
  return {
    ...rate,
    ...(burst === undefined ? {} : { burst }),
    ...(sliding === undefined ? {} : { sliding }),
  };
}

function keyOf(text: string): NonNullable<LimitDeclaration['key']> {
  if (text === 'none' || text === 'given') return text;
  const [, source, path] = /^(payload|label):(.+)$/.exec(text) ?? [];
  if (source === 'payload' && path !== undefined) return { payload: path };
  if (source === 'label' && path !== undefined) return { label: path };
  throw new UsageError(`--key must be payload:PATH, label:NAME, given or none, not '${text}'`, {
    field: '--key',
  });
}

function costOf(text: string): NonNullable<LimitDeclaration['cost']> {
  if (/^\d+$/.test(text)) return Number(text);
  const path = /^payload:(.+)$/.exec(text)?.[1];
  if (path !== undefined) return { payload: path };
  throw new UsageError(`--cost must be a number or payload:PATH, not '${text}'`, { field: '--cost' });
}

function of({ project }: ProjectFlag): { project?: string } {
  return project === undefined ? {} : { project };
}
