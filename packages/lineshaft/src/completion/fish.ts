/** The completion script for fish. */

import type { CompletionPlace } from './tree.ts';

/** @returns a script to be sourced, or to be put into `~/.config/fish/completions/lineshaft.fish` */
export function fishCompletion(tree: readonly CompletionPlace[]): string {
  const places = tree.filter(({ place }) => place !== '').map(({ place }) => `'${place}'`);
  return `# fish completion for lineshaft; to use it: lineshaft completion fish | source
function __lineshaft_at
  set -l place ''
  for word in (commandline -opc)[2..-1]
    switch "$place $word"
      case ${places.join(' ')}
        set place "$place $word"
    end
  end
  test "$place" = "$argv[1]"
end
complete -c lineshaft -f
${tree.flatMap(placeLines).join('\n')}
`;
}

function placeLines({ place, commands, options, choices }: CompletionPlace): string[] {
  const at = `complete -c lineshaft -n "__lineshaft_at '${place}'"`;
  return [
    ...commands.map(({ name, description }) => `${at} -a ${name} -d '${description}'`),
    ...choices.map((choice) => `${at} -a ${choice}`),
    ...options.map((option) => {
      const names = option.names.map((name) =>
        name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`,
      );
      const values =
        option.choices.length > 0 ? ` -x -a '${option.choices.join(' ')}'` : option.takesValue ? ' -r' : '';
      return `${at} ${names.join(' ')}${values} -d '${option.description}'`;
    }),
  ];
}
