/** The completion script for bash. */

import type { CompletionPlace } from './tree.ts';

/** @returns a script to be sourced */
export function bashCompletion(tree: readonly CompletionPlace[]): string {
  const places = tree.filter(({ place }) => place !== '').map(({ place }) => `"${place}"`);
  return `# bash completion for lineshaft; to use it: source <(lineshaft completion bash)
_lineshaft() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}" place="" i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$place \${COMP_WORDS[i]}" in
      ${places.join('|')}) place="$place \${COMP_WORDS[i]}" ;;
    esac
  done
  case "$place|$prev" in
${tree.flatMap(valueCases).join('\n')}
  esac
  case "$place" in
${tree.map(placeCase).join('\n')}
  esac
}
complete -o default -F _lineshaft lineshaft
`;
}

/**
 * Behind an option that takes a value, only that value is completed; file names where nothing is known of it.
 */
function valueCases({ place, options }: CompletionPlace): string[] {
  return options
    .filter(({ takesValue }) => takesValue)
    .map(({ names, choices }) => {
      const patterns = names.map((name) => `"${place}|${name}"`).join('|');
      const reply =
        choices.length === 0 ? '' : `COMPREPLY=($(compgen -W "${choices.join(' ')}" -- "$cur")); `;
      return `    ${patterns}) ${reply}return ;;`;
    });
}

function placeCase({ place, commands, options, choices }: CompletionPlace): string {
  const words = [
    ...commands.map(({ name }) => name),
    ...choices,
    ...options.flatMap(({ names }) => names.slice(-1)),
  ];
  return `    "${place}") COMPREPLY=($(compgen -W "${words.join(' ')}" -- "$cur")) ;;`;
}
