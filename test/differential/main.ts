/**
 * `node test/differential/main.ts [--only NAME,…] [--all]` starts the reference and a server of ours, holds the scenarios
 * against both, and prints the differences that are not listed as JSON lines, with `--all` those that are as well; at the
 * end what is listed and did not show. `--theirs` and `--ours` name servers that run and have not heard these scenarios;
 * their addresses end with `/api`. With `--tell` it prints what the reference answers.
 */
import { parseArgs } from 'node:util';
import { createDatabase, startServer } from '../../packages/core/src/testing/server.ts';
import { startReference } from '../../tools/reference/server.ts';
import { type OurServer, startOurs } from '../clients/ours.ts';
import { judge } from './compare.ts';
import { known } from './known.ts';
import { compareAll, converse } from './run.ts';
import { scenarios } from './scenarios/index.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    all: { type: 'boolean', default: false },
    theirs: { type: 'string' },
    ours: { type: 'string' },
    tell: { type: 'boolean', default: false },
  },
});
const chosen = scenarios.filter(({ name }) => values.only?.split(',').includes(name) ?? true);

const running: { stop(): Promise<void> }[] = [];
try {
  const theirs = values.theirs ?? (await addressOf(startReference()));
  if (values.tell) await tell(theirs);
  else await comparison(theirs, values.ours ?? (await addressOf(startAlone())));
} finally {
  for (const server of running.reverse()) await server.stop();
}

async function tell(theirs: string): Promise<void> {
  for (const scenario of chosen) {
    const { exchanges, error } = await converse(scenario, theirs);
    for (const exchange of exchanges) print({ scenario: scenario.name, ...exchange });
    if (error !== undefined) print({ scenario: scenario.name, error });
  }
}

async function comparison(theirs: string, ours: string): Promise<void> {
  const held = await compareAll(chosen, { theirs, ours }, (scenario, holding) => {
    const { unknown } = judge(new Map([[scenario, [holding]]]), known);
    for (const difference of values.all ? holding : unknown) print(difference);
  });
  const holdings = new Map([...held].map(([scenario, holding]) => [scenario, [holding]]));
  if (values.only === undefined) for (const unmet of judge(holdings, known).unmet) print({ unmet });
}

async function startAlone(): Promise<OurServer> {
  const postgres = await startServer(18);
  running.push(postgres);
  return startOurs(await createDatabase(postgres.url()));
}

async function addressOf(
  starting: Promise<{ readonly url: string; stop(): Promise<void> }>,
): Promise<string> {
  const server = await starting;
  running.push(server);
  return `${server.url}/api`;
}

function print(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
