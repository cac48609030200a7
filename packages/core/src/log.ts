/** The log of a process: one line an event, for people on a terminal or for machines as JSON. */

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

export interface Log {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

const order: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'silent'];

/** A log that writes lines of text: time, level, message, then `key=value`. */
export function textLog(level: LogLevel, write: (line: string) => void, now: () => Date): Log {
  const least = order.indexOf(level);
  const at =
    (of: LogLevel) =>
    (message: string, fields: Readonly<Record<string, unknown>> = {}) => {
      if (order.indexOf(of) < least) return;
      const rest = Object.entries(fields)
        .filter(([, value]) => value !== undefined)
        .map(([key, value]) => ` ${key}=${typeof value === 'string' ? quoted(value) : JSON.stringify(value)}`)
        .join('');
      write(`${now().toISOString().slice(11, 23)} ${of.padEnd(5)} ${message}${rest}`);
    };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/** The log of who asks for no other: text on standard error, from `info` on. */
export function standardErrorLog(): Log {
  return textLog(
    'info',
    (line) => process.stderr.write(`${line}\n`),
    () => new Date(),
  );
}

export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };

function quoted(value: string): string {
  return /^[\w./:@+-]+$/.test(value) ? value : JSON.stringify(value);
}
