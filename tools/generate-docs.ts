/**
 * Writes `docs/reference/` from the code: errors from the catalogue, options from their interfaces, the command
 * from its program; and `api/openapi.json` from the routes of the server. Run it after changing one of them: `npx node tools/generate-docs.ts`. A test fails where the
 * files and the code differ.
 */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { errorCatalogue } from '../packages/core/src/domain/errors.ts';

type Command = ReturnType<typeof import('../packages/lineshaft/src/program.ts').buildProgram>;

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const folder = join(root, 'docs/reference');
export const openApiFile = join(root, 'api/openapi.json');
const notice = '<!-- Written by tools/generate-docs.ts; change the source that it names instead. -->';

/** Interfaces whose fields are settings: title, file, name, and what to say of them. */
const interfaces: readonly (readonly [string, string, string, string])[] = [
  [
    'Lineshaft and Producer',
    'queue/producer.ts',
    'ProducerOptions',
    'Given to `new Lineshaft()` and `new Producer()`.',
  ],
  ['Lineshaft', 'lineshaft.ts', 'LineshaftOptions', 'Besides those above.'],
  [
    'Large payloads',
    'workflow/payload-settings.ts',
    'WorkflowPayloadSettings',
    '`workflowPayloads`, in kilobytes (1,024 bytes), 0 to 102,400.',
  ],
  [
    'Enqueueing',
    'domain/job-options.ts',
    'EnqueueOptions',
    'The third argument of `enqueue`; `enqueueMany` takes them beside `kind` and `payload`.',
  ],
  ['Back-off', 'domain/job-options.ts', 'Backoff', 'How long to wait after a failed attempt.'],
  [
    'Retry rules',
    'domain/retry-rules.ts',
    'RetryRule',
    '`retryRules` of a kind or a queue; the first that matches the error decides.',
  ],
  ['Circuit breakers', 'domain/circuit.ts', 'CircuitOptions', '`circuit` of a kind, and `setCircuit`.'],
  ['Unique keys', 'domain/job-options.ts', 'UniqueOptions', ''],
  ['Limits', 'domain/job-options.ts', 'AttemptLimits', ''],
  ['Retention', 'domain/job-options.ts', 'Retention', ''],
  ['Retention of queues', 'domain/job-options.ts', 'QueueRetention', 'Besides those above.'],
  ['Kinds', 'domain/kinds.ts', 'KindDefinition', 'Given to `defineKinds`.'],
  ['Queues', 'domain/queue.ts', 'QueueDeclaration', 'Given to `declare`.'],
  ['Schedules', 'domain/schedule.ts', 'ScheduleDeclaration', 'Given to `schedule`.'],
  ['Missed ticks', 'domain/schedule.ts', 'Backfill', '`backfill` of a schedule.'],
  ['Executors', 'domain/queue.ts', 'QueueExecutorOptions', '`executorOptions` of a queue or a worker.'],
  ['Workers', 'worker/worker-options.ts', 'WorkerOptions', 'Given to `lineshaft.worker()`.'],
  ['Pruner', 'services/pruner.ts', 'PrunerConfig', 'Given to `pruner()`; `rule` or `rules` beside them.'],
  ['Re-prioritiser', 'services/reprioritiser.ts', 'ReprioritiserConfig', 'Given to `reprioritiser()`.'],
  [
    'Pruning',
    'services/pruning.ts',
    'PruneOptions',
    'Given to `prune()` and `countPrunable()`, with `rule` or `rules`.',
  ],
  [
    'Server',
    '../../server/src/options.ts',
    'ServerOptions',
    'Given to `createServer` of `@lineshaft/server`.',
  ],
  ['What a handler gets', 'worker/handler.ts', 'JobContext', 'The second argument of a handler.'],
];

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of await referencePages()) writeFileSync(join(folder, name), text);
  mkdirSync(dirname(openApiFile), { recursive: true });
  writeFileSync(openApiFile, await openApiText());
}

/** The OpenAPI document of the server, as it is checked in. */
export async function openApiText(): Promise<string> {
  const { createServer } = await import('../packages/server/src/index.ts');
  // Nothing of these is called: routes are described by their schemas.
  const server = createServer({ lineshaft: {}, workflows: {} } as Parameters<typeof createServer>[0]);
  return `${JSON.stringify(await server.openApi(), null, 2)}\n`;
}

/** The pages of the reference: file name and text. */
export async function referencePages(): Promise<ReadonlyMap<string, string>> {
  return new Map([
    ['errors.md', errorsPage()],
    ['options.md', optionsPage()],
    ['command.md', await commandPage()],
  ]);
}

function errorsPage(): string {
  const entries = Object.entries(errorCatalogue).map(([code, entry]) =>
    [
      `## ${code}`,
      '',
      entry.cause,
      '',
      `- Remedy: ${entry.remedy}`,
      `- Category: \`${entry.category}\`; ${entry.retryable ? 'may succeed when tried again later' : 'trying again does not help'}`,
    ].join('\n'),
  );
  return page(
    'Errors',
    'packages/core/src/domain/errors.ts',
    'Every error of Lineshaft has a `code` from this list. Match on it (`isLineshaftError(error, code)`), not on\n' +
      'the class or the text. SQL callers find the code in the `detail` of the error, and SQLSTATEs `LS400`, `LS404`,\n' +
      '`LS409` and `LS413`. What the command does with them: [exit codes](../operate/exit-codes.md).',
    entries.join('\n\n'),
  );
}

function optionsPage(): string {
  const sections = interfaces.map(([title, file, name, about]) => {
    const source = readFileSync(join(root, 'packages/core/src', file), 'utf8');
    const rows = fieldsOf(source, name).map(
      ([field, type, doc]) =>
        `| \`${field}\` | \`${cell(type)}\` | ${cell(doc === '' ? linkTo(type) : doc)} |`,
    );
    const heading = `## ${title}\n\n\`${name}\`.${about === '' ? '' : ` ${about}`}`;
    return `${heading}\n\n| name | type | meaning |\n| --- | --- | --- |\n${rows.join('\n')}`;
  });
  return page(
    'Options',
    'packages/*/src',
    'All options of the library. Names that do not exist and values out of range are refused before anything is\n' +
      'written, with `OPTION_UNKNOWN` and `OPTION_INVALID`.',
    sections.join('\n\n'),
  );
}

/** The section of a type that has one; nothing for others. */
function linkTo(type: string): string {
  const known = interfaces.find(([, , name]) => type === name);
  return known === undefined ? '' : `See [${known[0]}](#${known[0].toLowerCase().replaceAll(' ', '-')}).`;
}

/** The fields of an interface, from its text: name, type, what its comment says. */
export function fieldsOf(source: string, name: string): [string, string, string][] {
  const found = new RegExp(`^export interface ${name}\\b[^{]*\\{\n([\\s\\S]*?)^\\}`, 'm').exec(source);
  if (found === null) throw new Error(`there is no interface ${name}`);
  const [, body = ''] = found;
  const field =
    /(?:^ {2}\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\n)?^ {2}(?:readonly )?(\w+\??)(?:: ?|(?=\())([^;]*);$/gm;
  return [...body.matchAll(field)].map(([, doc = '', field = '', type = '']) => [
    field.replace('?', ''),
    type.replace(/\s+/g, ' ').trim(),
    doc
      .replace(/^\s*\* ?/gm, '')
      .replace(/\n- /g, '<br>')
      .replace(/\s+/g, ' ')
      .trim(),
  ]);
}

async function commandPage(): Promise<string> {
  const { buildProgram } = await import('../packages/lineshaft/src/program.ts');
  const { exitCodeTable } = await import('../packages/lineshaft/src/output/exit-codes.ts');
  const { processHost } = await import('../packages/lineshaft/src/host.ts');
  const program = buildProgram({ host: processHost(), exitCode: 0 });
  const general = `## All commands\n\n${optionTable(program)}`;
  const commands = leaves(program).map((command) => {
    const parts = [
      `## ${pathOf(command)}`,
      '',
      sentence(command.description()),
      '',
      `    ${usageOf(command)}`,
    ];
    const options = optionTable(command);
    if (options !== '') parts.push('', options);
    return parts.join('\n');
  });
  const codes = exitCodeTable.map(([code, meaning]) => `| ${code} | ${meaning} |`);
  return page(
    'The command `lineshaft`',
    'packages/lineshaft/src/program.ts',
    '`lineshaft help COMMAND` prints the same, with examples.',
    [general, ...commands, `## Exit codes\n\n| code | meaning |\n| --- | --- |\n${codes.join('\n')}`].join(
      '\n\n',
    ),
  );
}

/** Commands that do something: all but the groups that only hold others. */
function leaves(command: Command): readonly Command[] {
  return command.commands
    .filter((each) => each.name() !== 'help')
    .flatMap((each) => {
      const inner = leaves(each);
      const isGroup = inner.length > 0 && each.options.length === 0 && each.registeredArguments.length === 0;
      return isGroup ? inner : [each, ...inner];
    });
}

function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

function usageOf(command: Command): string {
  const names = command.registeredArguments.map((argument) => {
    const name = argument.variadic ? `${argument.name()}...` : argument.name();
    return argument.required ? `<${name}>` : `[${name}]`;
  });
  return [pathOf(command), ...names, ...(command.options.length === 0 ? [] : ['[options]'])].join(' ');
}

function optionTable(command: Command): string {
  const shown = command.options.filter((option) => !option.hidden);
  if (shown.length === 0) return '';
  const rows = shown.map((option) => {
    const choices = option.argChoices === undefined ? '' : ` (${option.argChoices.join(', ')})`;
    return `| \`${cell(option.flags)}\` | ${cell(option.description + choices)} |`;
  });
  return `| option | meaning |\n| --- | --- |\n${rows.join('\n')}`;
}

function page(title: string, source: string, introduction: string, body: string): string {
  return `# ${title}\n\n${notice}\n<!-- Source: ${source} -->\n\n${introduction}\n\n${body}\n`;
}

function sentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}
