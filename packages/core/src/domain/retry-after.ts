/** What a service said of when it may be asked again, as the errors of its clients carry it. Pure. */

/** The longest that is believed: what lies beyond is cut. */
export const longestRetryAfterMs = 366 * 24 * 60 * 60 * 1_000;

/**
 * In how many ms a thrown error says that its service may be asked again: `retryAfterMs`; `retryAfter` as a Date, seconds
 * or an HTTP date; or the header Retry-After (RFC 9110) in `headers` or `response.headers`. Undefined where it says nothing that
 * can be understood, or a time that is over. Never throws.
 *
 * @param nowMs milliseconds since 1970
 */
export function retryAfterMs(thrown: unknown, nowMs: number): number | undefined {
  try {
    if (typeof thrown !== 'object' || thrown === null) return undefined;
    const error = thrown as {
      retryAfterMs?: unknown;
      retryAfter?: unknown;
      headers?: unknown;
      response?: { headers?: unknown } | null;
    };
    if (typeof error.retryAfterMs === 'number') return bounded(error.retryAfterMs);
    const said = error.retryAfter ?? headerOf(error.headers) ?? headerOf(error.response?.headers);
    return bounded(delayOf(said, nowMs));
  } catch {
    return undefined;
  }
}

function delayOf(said: unknown, nowMs: number): number {
  if (said instanceof Date) return said.getTime() - nowMs;
  if (typeof said === 'number') return said * 1_000;
  if (typeof said !== 'string') return Number.NaN;
  const text = said.trim();
  if (/^\d{1,12}(\.\d{1,9})?$/.test(text)) return Number(text) * 1_000;
  // What begins with a letter is a date of HTTP; anything else is no date that a header may have.
  return /^[A-Za-z]{3,9},? /.test(text) ? Date.parse(text) - nowMs : Number.NaN;
}

function headerOf(headers: unknown): unknown {
  if (typeof headers !== 'object' || headers === null) return undefined;
  const { get } = headers as { get?: unknown };
  if (typeof get === 'function') return get.call(headers, 'retry-after') ?? undefined;
  const name = Object.keys(headers).find((key) => key.toLowerCase() === 'retry-after');
  const value = name === undefined ? undefined : (headers as Record<string, unknown>)[name];
  return Array.isArray(value) ? value[0] : value;
}

function bounded(delayMs: number): number | undefined {
  if (!(delayMs > 0)) return undefined;
  return Math.ceil(Math.min(delayMs, longestRetryAfterMs));
}
