/** `lineshaft completion SHELL`: prints a script that completes commands and options. */

import { Argument, type Command } from 'commander';
import { action, type Context, type Session } from './context.ts';

export function addCompletion(program: Command, session: Session): void {
  program
    .command('completion')
    .description('print a completion script; for bash: source <(lineshaft completion bash)')
    .addArgument(new Argument('<shell>', 'for which shell').choices(['bash', 'zsh', 'fish']))
    .action(action(session, completion));
}

async function completion({ args: [shell], program, screen }: Context): Promise<undefined> {
  const { completionTree } = await import('../completion/tree.ts');
  const tree = completionTree(program);
  const script = await scriptFor(shell ?? '', tree);
  screen.result({ shell, script }, () => script);
  return undefined;
}

async function scriptFor(
  shell: string,
  tree: ReturnType<typeof import('../completion/tree.ts').completionTree>,
): Promise<string> {
  if (shell === 'zsh') return (await import('../completion/zsh.ts')).zshCompletion(tree);
  if (shell === 'fish') return (await import('../completion/fish.ts')).fishCompletion(tree);
  return (await import('../completion/bash.ts')).bashCompletion(tree);
}
