/** The command line of the lab, checked before anything is started. */
import { parseArgs } from 'node:util';
import { didYouMean } from '@lineshaft/core';

export interface Options {
  /** Length of the phase with faults. */
  readonly seconds: number;
  /** Undefined: a new one. */
  readonly seed: number | undefined;
  readonly json: boolean;
  readonly plant: 'unfenced' | undefined;
}

export interface CommandLine {
  /** The lab, or 'list', or 'help'. */
  readonly command: string;
  readonly options: Options;
}

export class UsageError extends Error {}

const flags = {
  seconds: { type: 'string' },
  seed: { type: 'string' },
  plant: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

export const usage = `Usage: npm run -s lab -- list | <name> [options]

  --seconds N       length of the phase with faults (default 60)
  --seed N          repeats the load and the faults of the run that printed it
  --plant unfenced  adds a worker (workflows: a server) that writes without the fence: the verdict must be red
  --json            the verdict as one line of JSON at the end of standard output

Exits 0 when nothing was lost, no rule was broken and each duplicate is explained; 1 when not; 2 for a wrong call.
`;

/** @throws UsageError naming what is wrong and what was probably meant */
export function parseCommandLine(parts: readonly string[], labs: readonly string[]): CommandLine {
  const { values, positionals } = readFlags(parts);
  if (values.plant !== undefined && values.plant !== 'unfenced') {
    throw new UsageError(`--plant takes 'unfenced', not '${values.plant}'`);
  }
  const options: Options = {
    seconds: number(values.seconds, '--seconds', 1, 86_400) ?? 60,
    seed: number(values.seed, '--seed', 0, 2 ** 32 - 1),
    json: values.json ?? false,
    plant: values.plant,
  };
  const [command, extra] = positionals;
  if (values.help === true || command === undefined) return { command: 'help', options };
  if (extra !== undefined) throw new UsageError(`unexpected argument '${extra}'`);
  const known = ['list', ...labs];
  if (known.includes(command)) return { command, options };
  const meant = didYouMean(command, known) || `; there are: ${known.join(', ')}`;
  throw new UsageError(`lab '${command}' not found${meant}`);
}

function readFlags(parts: readonly string[]) {
  const known = Object.keys(flags).map((name) => `--${name}`);
  for (const part of parts) {
    const [flag = part] = part.split('=');
    if (flag.startsWith('--') && !known.includes(flag)) {
      throw new UsageError(
        `option '${flag}' not found${didYouMean(flag, known) || `; there are: ${known.join(', ')}`}`,
      );
    }
  }
  try {
    return parseArgs({ args: [...parts], options: flags, allowPositionals: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function number(text: string | undefined, flag: string, low: number, high: number): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text === '' ? Number.NaN : text);
  if (Number.isSafeInteger(value) && value >= low && value <= high) return value;
  throw new UsageError(`${flag} takes a whole number from ${low} to ${high}, not '${text}'`);
}
