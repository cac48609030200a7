/** The log of a worker on standard error: lines for people, or with `--json` an object on each line. */

import { styleText } from 'node:util';
import type { Log, LogLevel } from '@lineshaft/core';
import type { Host } from '../host.ts';
import type { Style } from './screen.ts';
import { trimStack } from './stack.ts';
import { oneLine, printable } from './text-width.ts';

type Level = Exclude<LogLevel, 'silent'>;
type Fields = Readonly<Record<string, unknown>>;

const order: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'silent'];
const levelStyles: Readonly<Record<Level, Style>> = {
  debug: 'dim',
  info: 'dim',
  warn: 'yellow',
  error: 'red',
};

/** A log for this host, from a level on. */
export function consoleLog(host: Host, least: LogLevel, json: boolean): Log {
  const at = (level: Level) => {
    if (order.indexOf(level) < order.indexOf(least)) return () => undefined;
    return (message: string, fields: Fields = {}) =>
      void host.stderr.write(
        json ? jsonLine(host, level, message, fields) : textLine(host, level, message, fields),
      );
  };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

function jsonLine(host: Host, level: Level, message: string, fields: Fields): string {
  return `${JSON.stringify({ ...fields, time: new Date(host.now()).toISOString(), level, message })}\n`;
}

function textLine(host: Host, level: Level, message: string, fields: Fields): string {
  const { stderr } = host;
  const paint = (style: Style) => (text: string) => styleText(style, text, { stream: stderr });
  // The worker logs the stack of a failed attempt by itself, behind the line that tells of the failure.
  if (message === '' || /\n\s+at /.test(message)) {
    const stack = trimStack(message, host.cwd, paint('dim'));
    return stack === '' ? '' : `${stack}\n`;
  }
  const time = paint('dim')(timeOf(new Date(host.now())));
  const rest = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => paint('dim')(` ${name}=${fieldText(value)}`))
    .join('');
  return `${time} ${paint(levelStyles[level])(level.padEnd(5))} ${printable(message)}${rest}\n`;
}

/** The time of day where the user is. */
function timeOf(time: Date): string {
  const [hours, minutes, seconds] = [time.getHours(), time.getMinutes(), time.getSeconds()].map((part) =>
    String(part).padStart(2, '0'),
  );
  return `${hours}:${minutes}:${seconds}.${String(time.getMilliseconds()).padStart(3, '0')}`;
}

function fieldText(value: unknown): string {
  if (typeof value !== 'string') return oneLine(JSON.stringify(value) ?? '');
  return /^[\w./:@+,-]+$/.test(value) ? value : JSON.stringify(value);
}
