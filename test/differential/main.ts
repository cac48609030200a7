/**
 * `node test/differential/main.ts THEIRS [OURS] [--only NAME]` holds the scenarios against two servers that run, and
 * prints the differences as JSON lines; with one server, what it answered. The addresses end with `/api`.
 */
import { parseArgs } from 'node:util';
import { judge, type KnownDifference } from './compare.ts';
import known from './differences.json' with { type: 'json' };
import { compareAll, converse } from './run.ts';
import { scenarios } from './scenarios/index.ts';

const { values, positionals } = parseArgs({ options: { only: { type: 'string' } }, allowPositionals: true });
const [theirs, ours] = positionals;
if (theirs === undefined) throw new Error('usage: main.ts THEIRS [OURS] [--only NAME]');
const chosen = scenarios.filter(
  ({ name }) => values.only === undefined || values.only.split(',').includes(name),
);

if (ours === undefined) {
  for (const scenario of chosen) {
    const { exchanges, error } = await converse(scenario, theirs);
    for (const exchange of exchanges) print({ scenario: scenario.name, ...exchange });
    if (error !== undefined) print({ scenario: scenario.name, error });
  }
} else {
  await compareAll(chosen, theirs, ours, (differences) => {
    const { unknown } = judge(differences, known as readonly KnownDifference[]);
    for (const difference of unknown) print(difference);
  });
}

function print(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
