/** JSON values as Java's `Map.toString()` writes them: searches show inputs and outputs so. */

/** `{name=Ada, tags=[a, b], none=null}` */
export function javaText(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  if (Array.isArray(value)) return `[${value.map(javaText).join(', ')}]`;
  if (typeof value === 'object') {
    const entries = Object.entries(value).map(([name, entry]) => `${name}=${javaText(entry)}`);
    return `{${entries.join(', ')}}`;
  }
  return typeof value === 'number' ? javaNumber(value) : String(value);
}

/** Whole numbers as they are; others as Java's `Double.toString`: with an exponent from 10^7 and below 10^-3. */
function javaNumber(value: number): string {
  if (Number.isSafeInteger(value)) return String(value);
  const size = Math.abs(value);
  if (size >= 1e-3 && size < 1e7) return String(value);
  const [digits = '0', exponent = '0'] = value.toExponential().split('e');
  return `${digits.includes('.') ? digits : `${digits}.0`}E${Number(exponent)}`;
}
