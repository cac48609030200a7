/** Says to a server again what a client once said to the real one, and looks whether it is understood. */
import type { Recorded } from './record.ts';

/** Where a call names a run or a task, there is none of that id here: what counts is that the call is understood. */
const stranger = '00000000-0000-4000-8000-000000000001';
const names = /<(run|step|id) \d+>/g;

/**
 * @param url the address of the server's API
 * @returns what was answered otherwise, a line each
 */
export async function replay(calls: readonly Recorded[], url: string): Promise<string[]> {
  const wrong: string[] = [];
  for (const call of calls) {
    const problem = await misunderstood(call, url);
    if (problem !== undefined) wrong.push(`${call.method} ${call.path}: ${problem}`);
  }
  return wrong;
}

async function misunderstood(call: Recorded, url: string): Promise<string | undefined> {
  const body = call.body === undefined ? undefined : withoutNames(asText(call));
  const response = await fetch(`${url}${withoutNames(call.path)}`, {
    method: call.method,
    headers: {
      ...(call.contentType === undefined ? {} : { 'content-type': call.contentType }),
      ...(call.accept === undefined ? {} : { accept: call.accept }),
    },
    ...(body === undefined ? {} : { body }),
    signal: AbortSignal.timeout(30_000),
  });
  const text = await response.text();
  const { status } = response;
  const said = `answered ${status}, not ${call.status}: ${text.slice(0, 200)}`;
  if (status === 405 || status === 415 || /static resource/.test(text)) return said;
  if (/\/poll\//.test(call.path)) return status === 200 || status === 204 ? undefined : said;
  // Of strangers nothing is known, which is no misunderstanding.
  if (mentionsIds(`${call.path} ${asText(call)}`)) return status < 500 ? undefined : said;
  if (status !== call.status) return said;
  const type = response.headers.get('content-type')?.split(';')[0] ?? '';
  return type === (call.type ?? '')
    ? undefined
    : `answered ${type || 'nothing'}, not ${call.type ?? 'nothing'}`;
}

function mentionsIds(text: string): boolean {
  return text.search(names) >= 0;
}

function asText({ body, contentType }: Recorded): string {
  if (body === undefined) return '';
  return typeof body === 'string' && contentType !== 'application/json' ? body : JSON.stringify(body);
}

function withoutNames(text: string): string {
  return text
    .replace(names, stranger)
    .replaceAll('"<time>"', '1700000000000')
    .replaceAll('"<ms>"', '0')
    .replaceAll('<time>', '2026-01-01T00:00:00.000Z');
}
