/** The tree of commands as completion scripts need it, read from the parser, so that the two never differ. */

import type { Command } from 'commander';

export interface CompletionOption {
  /** `-q` and `--queue`, as far as it has them. */
  readonly names: readonly string[];
  readonly description: string;
  readonly takesValue: boolean;
  readonly choices: readonly string[];
}

/** A command, or the program itself. */
export interface CompletionPlace {
  /** The words that lead to it, each with a blank before: `''`, `' job'`, `' job list'`. */
  readonly place: string;
  readonly commands: readonly { readonly name: string; readonly description: string }[];
  readonly options: readonly CompletionOption[];
  /** Values of its first argument. */
  readonly choices: readonly string[];
}

/** All commands, the program first. */
export function completionTree(program: Command): CompletionPlace[] {
  const common = optionsOf(program);
  const visit = (command: Command, place: string): CompletionPlace[] => {
    const visible = command.createHelp().visibleCommands(command);
    const own = command === program ? [] : optionsOf(command);
    const here: CompletionPlace = {
      place,
      commands: visible.map((child) => ({ name: child.name(), description: summaryOf(child.description()) })),
      options: [...own, ...common],
      choices: command.registeredArguments[0]?.argChoices ?? [],
    };
    const below = visible.filter((child) => child.name() !== 'help');
    return [here, ...below.flatMap((child) => visit(child, `${place} ${child.name()}`))];
  };
  return visit(program, '');
}

function optionsOf(command: Command): CompletionOption[] {
  const help = command.createHelp();
  return help.visibleOptions(command).map((option) => ({
    names: [option.short, option.long].filter((name) => name !== undefined && name !== null),
    description: summaryOf(option.description),
    takesValue: option.required || option.optional,
    choices: option.argChoices ?? [],
  }));
}

/** Short, and without what would need care in a shell. */
function summaryOf(description: string): string {
  return description
    .replace(/ \((?:default|repeat).*$/, '')
    .replaceAll(/['"`$\\:[\]]/g, '')
    .slice(0, 100);
}
