/** The completion script for zsh. */

import type { CompletionPlace } from './tree.ts';

/** @returns a script to be sourced, or to be put as `_lineshaft` into a folder of `fpath` */
export function zshCompletion(tree: readonly CompletionPlace[]): string {
  const places = tree.filter(({ place }) => place !== '').map(({ place }) => `"${place}"`);
  return `#compdef lineshaft
# zsh completion for lineshaft; to use it: source <(lineshaft completion zsh)
_lineshaft() {
  local place="" word
  local -a names
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$place $word" in
      ${places.join('|')}) place="$place $word" ;;
    esac
  done
  case "$place|\${words[CURRENT-1]}" in
${tree.flatMap(valueCases).join('\n')}
  esac
  case "$place" in
${tree.map(placeCase).join('\n')}
  esac
  _describe 'lineshaft' names
}
# Loaded from fpath, this file is the function; sourced, it registers it.
if [ "$funcstack[1]" = "_lineshaft" ]; then _lineshaft "$@"; else compdef _lineshaft lineshaft; fi
`;
}

function valueCases({ place, options }: CompletionPlace): string[] {
  return options
    .filter(({ takesValue }) => takesValue)
    .map(({ names, choices }) => {
      const patterns = names.map((name) => `"${place}|${name}"`).join('|');
      const reply = choices.length === 0 ? '_files' : `compadd -- ${choices.join(' ')}`;
      return `    ${patterns}) ${reply}; return ;;`;
    });
}

function placeCase({ place, commands, options, choices }: CompletionPlace): string {
  const names = [
    ...commands.map(({ name, description }) => `'${name}:${description}'`),
    ...choices.map((choice) => `'${choice}'`),
    ...options.flatMap(({ names: all, description }) =>
      all.slice(-1).map((name) => `'${name}:${description}'`),
    ),
  ];
  return `    "${place}") names=(${names.join(' ')}) ;;`;
}
