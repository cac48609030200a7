/** What every command gets, and the frame in which it runs. */

import type { Command } from 'commander';
import type { OpenDatabase, OpenOptions } from '../compose.ts';
import type { DatabaseFlags } from '../database-choice.ts';
import type { Host } from '../host.ts';
import { Screen } from '../output/screen.ts';

/** Flags that all commands have. */
export interface GlobalFlags extends DatabaseFlags {
  readonly json?: boolean;
}

export interface Context<Flags = object> {
  readonly args: readonly (string | undefined)[];
  readonly flags: Flags & GlobalFlags;
  readonly screen: Screen;
  readonly host: Host;
  /** The whole command line, as the parser sees it. */
  readonly program: Command;
  /** Opens the database; it is closed when the command ends. */
  open(options?: OpenOptions): Promise<OpenDatabase>;
}

/** Does a command; the number is its exit code, 0 if there is none. */
export type Work<Flags> = (context: Context<Flags>) => Promise<number | undefined>;

/** Told by a command how it ended. */
export interface Session {
  readonly host: Host;
  exitCode: number;
}

/** The action of a command, as the parser wants it: makes the context, and cleans up behind the work. */
export function action<Flags = object>(
  session: Session,
  work: Work<Flags>,
): (...given: unknown[]) => Promise<void> {
  return async (...given) => {
    const command = given.at(-1) as Command;
    const flags = command.optsWithGlobals() as Flags & GlobalFlags;
    const { host } = session;
    const opened: OpenDatabase[] = [];
    const context: Context<Flags> = {
      args: command.processedArgs.flat() as (string | undefined)[],
      flags,
      screen: new Screen(host, flags.json === true),
      host,
      program: rootOf(command),
      open: async (options) => {
        const { openDatabase } = await import('../compose.ts');
        const database = await openDatabase(flags, host, options);
        opened.push(database);
        return database;
      },
    };
    try {
      session.exitCode = (await work(context)) ?? 0;
    } finally {
      for (const database of opened) await database.close();
    }
  };
}

function rootOf(command: Command): Command {
  return command.parent === null ? command : rootOf(command.parent);
}
