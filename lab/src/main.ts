/** `lab list | <name>`: breaks things while real jobs run, and proves what became of each. See options.ts. */
import { randomInt } from 'node:crypto';
import type { Lab } from './lab.ts';
import { labs } from './labs/index.ts';
import { monotonicMs } from './monotonic.ts';
import { type CommandLine, type Options, parseCommandLine, UsageError, usage } from './options.ts';
import { isGreen, readable, summary } from './report.ts';
import { removeFolder, run } from './run.ts';
import { installPackages } from './site/packages.ts';

const exitRed = 1;
const exitUsage = 2;

process.exitCode = await main(process.argv.slice(2));

async function main(parts: readonly string[]): Promise<number> {
  let line: CommandLine;
  try {
    line = parseCommandLine(
      parts,
      labs.map(({ name }) => name),
    );
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\n\n${usage}`);
    return exitUsage;
  }
  const lab = labs.find(({ name }) => name === line.command);
  if (lab !== undefined) return await runLab(lab, line.options);
  process.stdout.write(line.command === 'list' ? listing(line.options) : usage);
  return 0;
}

async function runLab(lab: Lab, { seconds, plant, json, ...options }: Options): Promise<number> {
  const why = lab.whyNot?.();
  if (why !== undefined) {
    process.stderr.write(`the lab ${lab.name} cannot run here: ${why}\n`);
    return exitUsage;
  }
  const seed = options.seed ?? randomInt(2 ** 32);
  const beganMs = monotonicMs();
  const say = (text: string): void => {
    process.stderr.write(`${((monotonicMs() - beganMs) / 1_000).toFixed(1).padStart(6)} s  ${text}\n`);
  };
  process.stderr.write(`lab ${lab.name}, ${seconds} s of faults, --seed ${seed}\n`);
  await using stack = new AsyncDisposableStack();
  const signal = endOnSignals(stack);
  try {
    installPackages(lab.packages ?? []);
    const settings = { seconds, seed, plant, signal };
    const outcome = await run(lab, settings, stack, say);
    const out = json ? process.stderr : process.stdout;
    for (const text of readable(lab, settings, outcome)) out.write(`${text}\n`);
    if (json) process.stdout.write(`${JSON.stringify(summary(lab, settings, outcome))}\n`);
    if (!isGreen(outcome)) return exitRed;
    removeFolder(outcome.folder);
    return 0;
  } catch (error) {
    process.stderr.write(`lab ${lab.name}: ${error instanceof Error ? error.stack : String(error)}\n`);
    return exitRed;
  }
}

/** Ctrl-C ends everything that was started; the signal that is returned says that it was so. */
function endOnSignals(stack: AsyncDisposableStack): AbortSignal {
  const ended = new AbortController();
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    process.once(signal, () => {
      process.stderr.write(`\n${signal}: ending what was started\n`);
      ended.abort();
      void stack.disposeAsync().finally(() => process.exit(code));
    });
  }
  return ended.signal;
}

function listing({ json }: Options): string {
  if (json) {
    return labs
      .map(({ name, about, whyNot }) => `${JSON.stringify({ name, about, whyNot: whyNot?.() })}\n`)
      .join('');
  }
  const width = Math.max(...labs.map(({ name }) => name.length));
  return labs
    .map(({ name, about, whyNot }) => {
      const why = whyNot?.();
      return `${name.padEnd(width)}  ${about}${why === undefined ? '' : ` (not here: ${why})`}\n`;
    })
    .join('');
}
