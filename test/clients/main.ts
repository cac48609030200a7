/**
 * `node test/clients/main.ts URL [--only NAME] [--write]` runs the programs of the clients against a server and prints
 * what they saw. With `--write` it keeps that, and what they said, as what is expected: the server is the reference.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { clients } from './clients.ts';
import { runClient } from './run-client.ts';

const { values, positionals } = parseArgs({
  options: { only: { type: 'string' }, write: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const [url] = positionals;
if (url === undefined) throw new Error('usage: main.ts URL [--only NAME] [--write]');

for (const client of clients.filter(({ name }) => values.only === undefined || values.only === name)) {
  const tell = (line: object): void => {
    process.stdout.write(`${JSON.stringify({ client: client.name, ...line })}\n`);
  };
  const { lines, recorded } = await runClient(client, url, { translate: values.write, tell });
  if (!values.write) continue;
  keep(`seen/${client.name}.json`, lines);
  keep(`recorded/${client.name}.json`, recorded);
}

function keep(file: string, list: readonly object[]): void {
  const lines = list.map((item) => `  ${JSON.stringify(item)}`);
  writeFileSync(new URL(file, import.meta.url), `[\n${lines.join(',\n')}\n]\n`);
}
