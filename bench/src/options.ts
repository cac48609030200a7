/** The command line of the bench, checked before anything is started. */
import { parseArgs } from 'node:util';

export interface Options {
  readonly peers: readonly string[] | undefined;
  readonly variants: readonly string[] | undefined;
  readonly jobs: number | undefined;
  readonly rounds: number | undefined;
  readonly quick: boolean;
  readonly json: boolean;
}

export class UsageError extends Error {}

export interface Known {
  readonly benches: readonly string[];
  readonly systems: readonly string[];
  variantsOf(bench: string): readonly string[];
}

const FLAGS = {
  peers: { type: 'string' },
  variants: { type: 'string' },
  jobs: { type: 'string' },
  rounds: { type: 'string' },
  quick: { type: 'boolean' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

export const USAGE = `Usage: npm run -s bench -- list | <name> [options]

  --peers a,b     only these systems beside lineshaft
  --variants a,b  only these variants
  --jobs N        jobs per round
  --rounds N      rounds
  --quick         small sizes and one round: a minute or less, for a look, not for a figure
  --json          one JSON object a line on standard output, and nothing else
`;

export interface CommandLine {
  /** The bench, or 'list', or 'help'. */
  readonly command: string;
  readonly options: Options;
}

/** @throws UsageError naming what is wrong and what was probably meant */
export function parseCommandLine(args: readonly string[], known: Known): CommandLine {
  const { values, positionals } = readFlags(args);
  const options: Options = {
    peers: names(values.peers, 'system', known.systems),
    variants: undefined,
    jobs: count(values.jobs, '--jobs'),
    rounds: count(values.rounds, '--rounds'),
    quick: values.quick ?? false,
    json: values.json ?? false,
  };
  const [command, ...rest] = positionals;
  if (values.help === true || command === undefined) return { command: 'help', options };
  if (rest[0] !== undefined) throw new UsageError(`unexpected argument '${rest[0]}'`);
  const allowed = ['list', ...known.benches];
  if (!allowed.includes(command)) throw notFound('bench', command, allowed);
  const variants = names(values.variants, 'variant', known.variantsOf(command));
  return { command, options: { ...options, variants } };
}

function readFlags(args: readonly string[]) {
  const flags = Object.keys(FLAGS).map((name) => `--${name}`);
  for (const arg of args) {
    const flag = arg.split('=')[0] ?? arg;
    if (flag.startsWith('--') && !flags.includes(flag)) throw notFound('option', flag, flags);
  }
  try {
    return parseArgs({ args: [...args], options: FLAGS, allowPositionals: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function names(text: string | undefined, what: string, known: readonly string[]): string[] | undefined {
  if (text === undefined) return undefined;
  const list = text.split(',').map((name) => name.trim());
  for (const name of list) if (!known.includes(name)) throw notFound(what, name, known);
  return list;
}

function count(text: string | undefined, flag: string): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text.replaceAll('_', ''));
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new UsageError(`${flag} takes a whole number of at least 1, not '${text}'`);
  }
  return value;
}

function notFound(what: string, name: string, known: readonly string[]): UsageError {
  const near = known
    .map((each) => ({ each, distance: editDistance(name, each) }))
    .toSorted((a, b) => a.distance - b.distance)
    .find(({ each, distance }) => distance <= 3 || each.endsWith(`.${name}`));
  const hint = near === undefined ? `known: ${known.join(', ')}` : `did you mean '${near.each}'?`;
  return new UsageError(`${what} '${name}' not found; ${hint}`);
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const swap = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, swap));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
