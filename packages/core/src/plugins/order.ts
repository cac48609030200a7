/** Which plugins there are, and in what order they start: what a plugin depends on comes before it. Pure. */

import { invalidOption, LineshaftError } from '../domain/errors.ts';
import { didYouMean } from '../domain/suggest.ts';
import type { Plugin } from '../plugin.ts';

/**
 * Puts the given plugins in the place of built-ins with the same name, takes out what is switched off, and orders
 * what is left by dependencies, otherwise as listed, built-ins first.
 *
 * @param without Names of built-ins; `*` for all that no given plugin replaces.
 * @throws OPTION_INVALID for a name that is there twice, and for a dependency that is unknown, switched off or circular
 */
export function orderPlugins(
  builtIn: readonly Plugin[],
  given: readonly Plugin[],
  without: readonly string[],
): readonly Plugin[] {
  const own = new Map<string, Plugin>();
  for (const [place, plugin] of given.entries()) {
    if (typeof plugin !== 'object' || plugin === null || typeof plugin.name !== 'string') {
      throw invalidOption(
        `plugins[${place}]`,
        plugin,
        'a plugin, which what definePlugin returned makes: call it',
      );
    }
    if (own.has(plugin.name)) {
      throw wrong(`plugin '${plugin.name}' is there twice; give it once`, plugin.name);
    }
    own.set(plugin.name, plugin);
  }
  const off = namesSwitchedOff(builtIn, own, without);
  const all = new Map<string, Plugin>();
  for (const plugin of builtIn) {
    if (!off.has(plugin.name)) all.set(plugin.name, own.get(plugin.name) ?? plugin);
  }
  for (const plugin of given) all.set(plugin.name, plugin);
  const ordered = new Set<Plugin>();
  for (const plugin of all.values()) visit(plugin, all, off, ordered, []);
  return [...ordered];
}

function namesSwitchedOff(
  builtIn: readonly Plugin[],
  own: ReadonlyMap<string, Plugin>,
  without: readonly string[],
): ReadonlySet<string> {
  const names = builtIn.map((plugin) => plugin.name);
  const off = new Set<string>();
  for (const name of without) {
    if (name === '*') {
      for (const each of names) if (!own.has(each)) off.add(each);
      continue;
    }
    if (!names.includes(name)) {
      const meant = didYouMean(name, names);
      throw wrong(
        `without: there is no built-in service '${name}'${meant === '' ? `; there are ${names.join(', ')}` : meant}`,
        name,
      );
    }
    if (own.has(name))
      throw wrong(`without: '${name}' is among the plugins too; remove one of the two`, name);
    off.add(name);
  }
  return off;
}

function visit(
  plugin: Plugin,
  all: ReadonlyMap<string, Plugin>,
  off: ReadonlySet<string>,
  ordered: Set<Plugin>,
  path: readonly string[],
): void {
  if (ordered.has(plugin)) return;
  if (path.includes(plugin.name)) {
    const circle = [...path.slice(path.indexOf(plugin.name)), plugin.name].join(' → ');
    throw wrong(`plugins depend on each other in a circle: ${circle}`, plugin.name);
  }
  for (const [place, name] of plugin.dependsOn.entries()) {
    const needed = all.get(name);
    if (needed === undefined) {
      const why = off.has(name)
        ? `which is switched off; switch '${plugin.name}' off too, or keep '${name}'`
        : `which is not there${didYouMean(name, [...all.keys()])}`;
      throw wrong(`plugin '${plugin.name}': dependsOn[${place}] is '${name}', ${why}`, plugin.name);
    }
    visit(needed, all, off, ordered, [...path, plugin.name]);
  }
  ordered.add(plugin);
}

function wrong(message: string, plugin: string): LineshaftError {
  return new LineshaftError('OPTION_INVALID', { message, details: { plugin } });
}
