/** `bench list | <name>`: measures Lineshaft beside its peers in one run. See options.ts for the options. */
import { execFileSync } from 'node:child_process';
import { arch, cpus, platform, release, totalmem } from 'node:os';
import { benches } from './benches/index.ts';
import { endAll, endOnSignals } from './cleanup.ts';
import type { Bench } from './context.ts';
import { type CommandLine, type Options, parseCommandLine, USAGE, UsageError } from './options.ts';
import { repositoryDirectory } from './paths.ts';
import { setUp } from './setup.ts';
import { systems } from './systems/catalog.ts';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  let line: CommandLine;
  try {
    line = parseCommandLine(args, {
      benches: benches.map((bench) => bench.name),
      systems: systems.map((system) => system.name),
      variantsOf: (name) => benches.find((bench) => bench.name === name)?.variants ?? [],
    });
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\n\n${USAGE}`);
    return EXIT_USAGE;
  }
  const bench = benches.find((each) => each.name === line.command);
  if (bench === undefined) {
    process.stdout.write(line.command === 'list' ? listing(line.options) : USAGE);
    return 0;
  }
  return runBench(bench, line.options);
}

async function runBench(bench: Bench, options: Options): Promise<number> {
  endOnSignals();
  try {
    const wanted = bench.systems.filter((name) => options.peers?.includes(name) ?? true);
    await setUp(wanted);
    // Loaded only now: what they import may just have been installed.
    const [{ Context }, { Report }, { Stores }] = await Promise.all([
      import('./context.ts'),
      import('./report.ts'),
      import('./stores.ts'),
    ]);
    const report = new Report(bench.name, options.json, runDescription(options));
    const stores = new Stores((what, settings) => report.describe(what, settings));
    await bench.run(new Context(options, report, stores));
    return report.failures > 0 ? EXIT_FAILED : 0;
  } catch (error) {
    process.stderr.write(`bench ${bench.name}: ${error instanceof Error ? error.stack : String(error)}\n`);
    return EXIT_FAILED;
  } finally {
    await endAll();
  }
}

function listing({ json }: Options): string {
  if (json) return benches.map(({ run: _run, ...bench }) => `${JSON.stringify(bench)}\n`).join('');
  const width = Math.max(...benches.map((bench) => bench.name.length));
  return benches
    .map(
      (bench) => `${bench.name.padEnd(width)}  ${bench.about}\n${' '.repeat(width + 2)}${details(bench)}\n`,
    )
    .join('');
}

function details(bench: Bench): string {
  return `variants: ${bench.variants.join(', ')}; systems: ${bench.systems.join(', ')}`;
}

function runDescription(options: Options): Record<string, unknown> {
  return {
    run: new Date().toISOString(),
    commit: commit(),
    node: process.version,
    machine: `${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB`,
    system: `${platform()} ${release()} ${arch()}`,
    options,
  };
}

function commit(): string {
  try {
    const git = (...args: string[]): string =>
      execFileSync('git', args, { cwd: repositoryDirectory, encoding: 'utf8', stdio: 'pipe' }).trim();
    return git('rev-parse', 'HEAD') + (git('status', '--porcelain') === '' ? '' : ' with changes');
  } catch {
    return 'unknown';
  }
}
