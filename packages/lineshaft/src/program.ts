/** The command line: all commands, what they have in common, and how the process ends. */

import { readFileSync } from 'node:fs';
import { Command, CommanderError, type Option } from 'commander';
import { addBench } from './commands/bench.ts';
import { addCircuit } from './commands/circuit.ts';
import { addCompletion } from './commands/completion.ts';
import type { Session } from './commands/context.ts';
import { addDev } from './commands/dev.ts';
import { addDoctor } from './commands/doctor.ts';
import { addEnqueue } from './commands/enqueue.ts';
import { addJob } from './commands/job.ts';
import { addLimit } from './commands/limit.ts';
import { addMigrate } from './commands/migrate.ts';
import { addProject } from './commands/project.ts';
import { addPrune } from './commands/prune.ts';
import { addQueue } from './commands/queue.ts';
import { addSchedule } from './commands/schedule.ts';
import { addServer } from './commands/server.ts';
import { addToken } from './commands/token.ts';
import { addWhy } from './commands/why.ts';
import { addWorker } from './commands/worker.ts';
import type { Host } from './host.ts';
import { exitCodes, exitCodeTable } from './output/exit-codes.ts';
import { reportError } from './output/report-error.ts';

/** Runs one command line, prints what comes of it, and ends the process. */
export async function runCommand(args: readonly string[], host: Host): Promise<never> {
  // `lineshaft job list | head` closes the pipe early; that is no error.
  host.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
  const session: Session = { host, exitCode: exitCodes.ok };
  const program = buildProgram(session);
  try {
    if (args.length === 0) program.outputHelp();
    else await program.parseAsync([...args], { from: 'user' });
  } catch (error) {
    session.exitCode = endOf(error, host, args.includes('--json'));
  }
  await Promise.all(
    [host.stdout, host.stderr].map((stream) => new Promise((done) => stream.write('', done))),
  );
  // Modules of the user's may hold the process open: connections, timers.
  process.exit(session.exitCode);
}

/** All commands with their options. */
export function buildProgram(session: Session): Command {
  const { stdout, stderr } = session.host;
  const program: Command = new Command('lineshaft')
    .description('Durable jobs on PostgreSQL: queues, workers, and one command to try them.')
    .usage('<command> [options]')
    .version(version(), '--version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .option(
      '--database-url <url>',
      'the database; otherwise LINESHAFT_DATABASE_URL, then .lineshaft/ of this folder',
    )
    .option('--schema <name>', 'the schema that holds everything; otherwise LINESHAFT_SCHEMA, then lineshaft')
    .option('--json', 'print one JSON document, and errors as {"error": {code, message, details}}')
    .exitOverride()
    .configureHelp({
      showGlobalOptions: true,
      visibleGlobalOptions: (command) => (command.parent === null ? [] : commonOptions(program)),
    })
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
      // Printed by `runCommand`, in the form that the user asked for.
      outputError: () => undefined,
    });
  program.commandsGroup('Start here:');
  addDev(program, session);
  addEnqueue(program, session);
  addWorker(program, session);
  addServer(program, session);
  program.commandsGroup('Look and steer:');
  addJob(program, session);
  addWhy(program, session);
  addQueue(program, session);
  addCircuit(program, session);
  addLimit(program, session);
  addSchedule(program, session);
  addProject(program, session);
  program.commandsGroup('Operate:');
  addMigrate(program, session);
  addDoctor(program, session);
  addToken(program, session);
  addPrune(program, session);
  addBench(program, session);
  addCompletion(program, session);
  program.commandsGroup('');
  program.helpCommand('help [command]', 'print help for a command').addHelpText('after', helpEnd());
  return program;
}

/** Of all commands; the version is asked of the program only. */
function commonOptions(program: Command): Option[] {
  return program.options.filter(({ long }) => long !== '--version');
}

function endOf(error: unknown, host: Host, json: boolean): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return exitCodes.ok;
    // The help of a group that was given no command; it has been printed.
    if (error.code === 'commander.help') return exitCodes.invalid;
  }
  return reportError(error, host, json);
}

function helpEnd(): string {
  const codes = exitCodeTable.map(([code, meaning]) => `  ${String(code).padEnd(4)} ${meaning}`).join('\n');
  return (
    `\nExit codes:\n${codes}\n\n` +
    'Examples:\n' +
    '  lineshaft dev                                  a database, a server, and a worker for ./tasks\n' +
    `  lineshaft enqueue hello '{"name":"Ada"}' --wait  run tasks/hello.ts once, print what it returns\n` +
    '  lineshaft job list --state failed              what went wrong\n'
  );
}

function version(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
