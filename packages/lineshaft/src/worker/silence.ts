/**
 * Node's advice to put a `type` into `package.json`: a first `tasks/hello.ts` in an empty folder should need
 * none.
 */

const code = 'MODULE_TYPELESS_PACKAGE_JSON';

/** Keeps this process, and the Node processes that it starts, from printing that advice. */
export function silenceTypelessWarning(): void {
  const emit = process.emitWarning.bind(process);
  process.emitWarning = ((warning: string | Error, ...rest: unknown[]) => {
    const [type, given] = rest;
    const named = typeof type === 'object' && type !== null ? (type as { code?: string }).code : given;
    if (named === code || (warning as { code?: string }).code === code) return;
    (emit as (...all: unknown[]) => void)(warning, ...rest);
  }) as typeof process.emitWarning;
  const flag = `--disable-warning=${code}`;
  const options = process.env['NODE_OPTIONS'] ?? '';
  if (!options.includes(flag)) process.env['NODE_OPTIONS'] = `${options} ${flag}`.trim();
}
