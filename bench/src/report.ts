/** Turns series into figures and ratios: JSON lines or tables on stdout, everything else on stderr. */
import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Log, Series } from './alternate.ts';
import { resultsDirectory } from './paths.ts';
import { median, pairedRatios, type Spread, spread } from './statistics.ts';
import { type FigureLine, type RatioLine, renderTable } from './table.ts';

const UNITS: Readonly<Record<string, string>> = {
  jobs_per_s: 'jobs/s',
  calls_per_s: 'calls/s',
  steps_per_s: 'steps/s',
  runs_per_s: 'runs/s',
  commits_per_s: 'commits/s',
  p50_ms: 'ms',
  p95_ms: 'ms',
  p99_ms: 'ms',
  db_cpu_us_per_job: 'us/job',
  worker_cpu_us_per_job: 'us/job',
  server_cpu_us_per_job: 'us/job',
  cpu_us_per_job: 'us/job',
  cpu_s: 's',
  rss_mb: 'MB',
  wall_s: 's',
  busy_ratio: 'cores',
  db_busy_ratio: 'cores',
  statements_per_s: 'statements/s',
  statements: 'statements',
  period_s: 's',
};

export function higherIsBetter(metric: string): boolean {
  return metric.endsWith('_per_s');
}

interface VariantResult {
  readonly variant: string;
  readonly series: readonly Series[];
  /** By which the better one of a system's setups is chosen. */
  readonly primary: string;
  /** Whose ratios are reported, against every other series. */
  readonly ours?: string;
  /** Systems whose figures count but against which no ratio means anything. */
  readonly withoutRatio?: ReadonlySet<string>;
}

export class Report implements Log {
  readonly bench: string;
  failures = 0;
  readonly #json: boolean;
  readonly #file: string;

  constructor(bench: string, json: boolean, run: Record<string, unknown>) {
    this.bench = bench;
    this.#json = json;
    mkdirSync(resultsDirectory, { recursive: true });
    this.#file = join(resultsDirectory, `${bench}.jsonl`);
    this.#append(run);
    this.describe('run', run);
  }

  line(text: string): void {
    process.stderr.write(`${text}\n`);
  }

  failed(what: string, error: unknown): void {
    this.failures += 1;
    this.line(`FAILED ${what}: ${error instanceof Error ? error.message : String(error)}`);
  }

  describe(what: string, settings: Record<string, unknown>): void {
    this.line(`${what}: ${JSON.stringify(settings)}`);
  }

  /** Reports a variant in which systems run against each other. */
  variant(result: VariantResult): void {
    const chosen = this.#chooseSetups(result);
    const ours = chosen.find((series) => series.system === (result.ours ?? 'lineshaft'));
    const figures = chosen.flatMap((series) => this.#figures(result.variant, series));
    const ratios = chosen
      .filter((series) => ours !== undefined && series !== ours)
      .filter((series) => !result.withoutRatio?.has(series.system))
      .flatMap((theirs) => this.#ratios(result.variant, ours ?? theirs, theirs, theirs.system));
    this.#publish(result.variant, figures, ratios);
  }

  /** Reports one of our variants against another one of ours in the same run. */
  against(variant: string, ours: Series, name: string, other: Series | undefined): void {
    const ratios = other === undefined ? [] : this.#ratios(variant, ours, other, name);
    this.#publish(variant, this.#figures(variant, ours), ratios);
  }

  #chooseSetups({ variant, series, primary }: VariantResult): Series[] {
    const bySystem = Map.groupBy(series, (each) => each.system);
    return [...bySystem.values()].flatMap((setups) => {
      const ranked = setups
        .filter((each) => valuesOf(each, primary).length > 0)
        .map((each) => ({ series: each, value: median(valuesOf(each, primary)) }))
        .toSorted((a, b) => (higherIsBetter(primary) ? b.value - a.value : a.value - b.value));
      if (ranked.length > 1) {
        const all = ranked.map((each) => `${each.series.setup} ${Number(each.value.toPrecision(4))}`);
        this.line(
          `${variant} ${setups[0]?.system}: ${primary} by setup: ${all.join(', ')}; the first counts`,
        );
      }
      return ranked.slice(0, 1).map((each) => each.series);
    });
  }

  #figures(variant: string, series: Series): FigureLine[] {
    return metricsOf(series).map((metric) => ({
      bench: this.bench,
      variant,
      system: series.system,
      metric,
      unit: UNITS[metric] ?? '',
      ...rounded(spread(valuesOf(series, metric))),
    }));
  }

  #ratios(variant: string, ours: Series, theirs: Series, against: string): RatioLine[] {
    const shared = metricsOf(ours).filter((metric) => metricsOf(theirs).includes(metric));
    return shared.flatMap((metric) => {
      const ratios = pairedRatios(
        ours.rounds.map((round) => round?.[metric]),
        theirs.rounds.map((round) => round?.[metric]),
      );
      if (ratios.length === 0) return [];
      const { median: ratio, ...rest } = rounded(spread(ratios));
      return [{ bench: this.bench, variant, metric, system: ours.system, against, ratio, ...rest }];
    });
  }

  #publish(variant: string, figures: readonly FigureLine[], ratios: readonly RatioLine[]): void {
    for (const line of [...figures, ...ratios]) {
      this.#append(line);
      if (this.#json) process.stdout.write(`${JSON.stringify(line)}\n`);
    }
    if (!this.#json) process.stdout.write(renderTable(`${this.bench} ${variant}`, figures, ratios));
  }

  #append(line: object): void {
    appendFileSync(this.#file, `${JSON.stringify(line)}\n`);
  }
}

function metricsOf(series: Series): string[] {
  return [...new Set(series.rounds.flatMap((round) => Object.keys(round ?? {})))];
}

function valuesOf(series: Series, metric: string): number[] {
  return series.rounds.flatMap((round) => round?.[metric] ?? []);
}

function rounded(numbers: Spread): Spread {
  const round = (value: number): number => Number(value.toPrecision(5));
  const { median: middle, min, max, rounds } = numbers;
  return { median: round(middle), min: round(min), max: round(max), rounds };
}
