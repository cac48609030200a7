/** Tells people and programs how a run ended. */
import type { Lab } from './lab.ts';
import type { Outcome, RunOptions } from './run.ts';
import type { Duplicate } from './verdict/duplicates.ts';

/** How many of the same kind are written out. */
const shown = 10;

export function isGreen({ verdict }: Outcome): boolean {
  return (
    verdict.lost.length === 0 &&
    verdict.violations.length === 0 &&
    unexplained(verdict.duplicates).length === 0 &&
    verdict.acknowledged > 0 &&
    verdict.finished === verdict.acknowledged
  );
}

/** The last line of `--json`. */
export function summary(lab: Lab, { seed, seconds }: RunOptions, outcome: Outcome): Record<string, unknown> {
  const { verdict, faults } = outcome;
  return {
    lab: lab.name,
    seed,
    seconds,
    faults,
    acknowledged: verdict.acknowledged,
    finished: verdict.finished,
    lost: verdict.lost.length,
    duplicated: verdict.duplicates.length,
    unexplained: unexplained(verdict.duplicates).length,
    violations: verdict.violations.length,
    ok: isGreen(outcome),
  };
}

export function* readable(lab: Lab, options: RunOptions, outcome: Outcome): Iterable<string> {
  const { verdict, faults } = outcome;
  yield '';
  yield `${lab.name}: ${isGreen(outcome) ? 'GREEN' : 'RED'} (seed ${options.seed}, ${options.seconds} s, ${faults} faults)`;
  yield `  acknowledged ${verdict.acknowledged}, ${outcome.perSecond.toFixed(0)} a second while the database was up`;
  yield `  finished as they should ${verdict.finished}`;
  const { inEffect, without } = verdict.unknown;
  yield `  answer lost and not asked again ${inEffect + without}: ${inEffect} in effect, once each; ${without} not`;
  yield* list('lost', verdict.lost);
  yield* list('rules broken', verdict.violations);
  yield `  run again ${verdict.duplicates.length}`;
  const byCause = Map.groupBy(verdict.duplicates, ({ cause }) => cause);
  for (const [cause, duplicates] of byCause) {
    if (cause !== undefined)
      yield `    ${duplicates.length}: a lease ran out, ${cause}; as ${duplicates[0]?.story}`;
  }
  yield* list(
    'run again without a reason',
    unexplained(verdict.duplicates).map(({ jobId, story }) => `job ${jobId}: ${story}`),
  );
  if (!isGreen(outcome)) yield `  ledgers, logs and the whole verdict: ${outcome.folder}`;
}

function* list(what: string, items: readonly string[]): Iterable<string> {
  yield `  ${what} ${items.length}`;
  for (const item of items.slice(0, shown)) yield `    ${item}`;
  if (items.length > shown) yield `    and ${items.length - shown} more`;
}

function unexplained(duplicates: readonly Duplicate[]): readonly Duplicate[] {
  return duplicates.filter(({ cause }) => cause === undefined);
}
