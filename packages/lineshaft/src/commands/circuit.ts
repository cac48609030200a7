/** `lineshaft circuit …`: circuit breakers of kinds are data; looked at and steered while workers run. */

import type { CircuitOptions, CircuitView } from '@lineshaft/core';
import type { Command } from 'commander';
import { describeDuration, describeTime, parseTime } from '../durations.ts';
import { duration, wholeNumber } from '../option-parsers.ts';
import type { Screen } from '../output/screen.ts';
import { UsageError } from '../usage-error.ts';
import { action, type Context, type Session } from './context.ts';

interface SetFlags {
  readonly failureRate?: number;
  readonly minAttempts?: number;
  readonly window?: number;
  readonly pause?: number;
  readonly pauseFactor?: number;
  readonly pauseLimit?: number;
  readonly probes?: number;
  readonly off?: boolean;
}

export function addCircuit(program: Command, session: Session): void {
  const circuit = program
    .command('circuit')
    .description('list, show, set, open and close the circuit breakers of kinds');
  circuit.command('list').description('the circuits of all kinds').action(action(session, list));
  const named = (name: string, description: string): Command =>
    circuit.command(name).description(description).argument('<kind>', 'the kind');
  named('show', 'state, counts and settings').action(action(session, show));
  named('set', 'how it works, before what code declares; what is not given has its default')
    .option(
      '--failure-rate <share>',
      'share of failed attempts that opens it, above 0 to 1',
      share('--failure-rate'),
    )
    .option('--min-attempts <number>', 'fewer attempts say nothing', wholeNumber('--min-attempts'))
    .option('--window <duration>', 'time over which attempts are counted', duration('--window'))
    .option('--pause <duration>', 'how long it is open the first time', duration('--pause'))
    .option(
      '--pause-factor <number>',
      'each further opening lasts so many times longer',
      share('--pause-factor'),
    )
    .option('--pause-limit <duration>', 'the longest pause', duration('--pause-limit'))
    .option('--probes <number>', 'jobs that must succeed before it closes', wholeNumber('--probes'))
    .option('--off', 'count nothing: it opens by hand only')
    .action(action<SetFlags>(session, set));
  named('open', 'let the jobs of the kind wait; they burn no attempt')
    .option('--until <time>', 'when a few are tried: ISO 8601 with a zone, or from now (10m, 1h30m)')
    .option('--reason <text>', 'for people')
    .action(action<{ until?: string; reason?: string }>(session, open));
  named('close', 'let its jobs run again; counts begin at zero').action(action(session, close));
  named('reset', 'close it, and forget what was set').action(action(session, reset));
}

async function list({ screen, host, open: opened }: Context): Promise<undefined> {
  const { data } = await opened();
  const circuits = await data.circuits();
  screen.result({ circuits }, () =>
    circuits.length === 0
      ? 'no circuits; give a kind one: lineshaft circuit set KIND'
      : screen.table(
          [
            { title: 'kind', value: ({ kind }) => kind },
            { title: 'state', value: ({ state }) => state, style: (circuit) => paint(screen, circuit) },
            { title: 'since', value: ({ since }) => describeTime(since, host.now()) },
            {
              title: 'failed',
              value: ({ failures, attempts }) => `${failures} of ${attempts}`,
              align: 'right',
            },
            { title: 'probes from', value: (circuit) => untilOf(circuit, host.now()) },
            { title: 'reason', value: ({ reason }) => reason ?? '', gives: true },
          ],
          circuits,
        ),
  );
  return undefined;
}

async function show(context: Context): Promise<undefined> {
  const { screen, args, open: opened } = context;
  const { data } = await opened();
  const [kind = ''] = args;
  const circuit = await data.circuit(kind);
  screen.result(circuit, () => describe(circuit, context));
  return undefined;
}

async function set(context: Context<SetFlags>): Promise<undefined> {
  const { flags } = context;
  const options: Record<keyof CircuitOptions, unknown> = {
    enabled: flags.off === true ? false : undefined,
    failureRate: flags.failureRate,
    minAttempts: flags.minAttempts,
    windowMs: flags.window,
    pauseMs: flags.pause,
    pauseFactor: flags.pauseFactor,
    pauseLimitMs: flags.pauseLimit,
    probes: flags.probes,
  };
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  return await change(context, async (kind) => {
    const { data } = await context.open();
    return await data.setCircuit(kind, given);
  });
}

async function open(context: Context<{ until?: string; reason?: string }>): Promise<undefined> {
  const { flags, host } = context;
  const until = flags.until === undefined ? {} : { until: parseTime(flags.until, '--until', host.now()) };
  const reason = flags.reason === undefined ? {} : { reason: flags.reason };
  return await change(context, async (kind) => {
    const { data } = await context.open();
    return await data.openCircuit(kind, { ...until, ...reason });
  });
}

async function close(context: Context): Promise<undefined> {
  return await change(context, async (kind) => (await context.open()).data.closeCircuit(kind));
}

async function reset(context: Context): Promise<undefined> {
  return await change(context, async (kind) => (await context.open()).data.resetCircuit(kind));
}

async function change(context: Context, work: (kind: string) => Promise<CircuitView>): Promise<undefined> {
  const circuit = await work(context.args[0] ?? '');
  context.screen.result(circuit, () => describe(circuit, context));
  return undefined;
}

function describe(circuit: CircuitView, { screen, host }: Context): string {
  const { settings, probes } = circuit;
  return screen.facts([
    ['kind', circuit.kind],
    [
      'state',
      `${circuit.state}${circuit.byHand ? ', by hand' : ''}, since ${describeTime(circuit.since, host.now())}`,
    ],
    ['reason', circuit.reason ?? 'none'],
    ['probes from', untilOf(circuit, host.now()) || 'not open'],
    ['probes', `${probes.left} left, ${probes.running} running, ${probes.succeeded} succeeded`],
    ['counted', `${circuit.failures} of ${circuit.attempts} attempts failed`],
    [
      'opens',
      circuit.automatic
        ? `when ${settings.failureRate * 100} % of at least ${settings.minAttempts} attempts in ` +
          `${describeDuration(settings.windowMs)} failed`
        : 'by hand only',
    ],
    [
      'pause',
      `${describeDuration(settings.pauseMs)}, × ${settings.pauseFactor} up to ${describeDuration(settings.pauseLimitMs)}; ` +
        `then ${settings.probes} probes`,
    ],
  ]);
}

function untilOf({ state, until }: CircuitView, nowMs: number): string {
  if (state !== 'open') return '';
  return until === undefined ? 'when it is closed' : describeTime(until, nowMs);
}

function paint(screen: Screen, { state }: CircuitView): ReturnType<Screen['paint']> {
  return screen.paint(state === 'closed' ? 'green' : state === 'open' ? 'red' : 'yellow');
}

/** A number with a fraction; its range is checked where it is used. */
function share(option: string): (text: string) => number {
  return (text) => {
    const number = /^\d+(\.\d+)?$/.test(text.trim()) ? Number(text) : Number.NaN;
    if (Number.isFinite(number)) return number;
    throw new UsageError(`${option} must be a number such as 0.5, not '${text}'`, { field: option });
  };
}
