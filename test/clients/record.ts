/**
 * What a client said to a server, without what differs from run to run: kept as a contract, which any server can be
 * held to without the client.
 */
import { Names } from '../differential/normalise.ts';
import type { Said } from './proxy.ts';

const uuid = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

export interface Recorded {
  readonly method: string;
  /** Ids in it are names, as `<run 1>`. */
  readonly path: string;
  readonly contentType?: string;
  readonly accept?: string;
  /** JSON where it is JSON, else text. */
  readonly body?: unknown;
  readonly status: number;
  readonly type?: string;
}

/** The calls of a client worth keeping: no polls without a task, and of calls that waited for something the last. */
export function record(said: readonly Said[]): Recorded[] {
  const names = new Names();
  return inOrder(worthKeeping(said)).map((one) => describe(one, names));
}

function worthKeeping(said: readonly Said[]): Said[] {
  const real = said.filter(
    ({ path, status, answer }) => !(/\/poll\//.test(path) && (status === 204 || answer === '[]')),
  );
  return real.filter((one, index) => {
    if (one.method !== 'GET' || /\/poll\//.test(one.path)) return true;
    // Workers' calls come between those of who waits.
    const next = real
      .slice(index + 1)
      .find((other) => other.method === 'GET' && !/\/poll\//.test(other.path));
    return next?.path !== one.path;
  });
}

/**
 * Causes before effects: a worker may be given the first task of a run before who started the run has heard of it.
 */
function inOrder(said: readonly Said[]): Said[] {
  const starts = new Map<string, number>();
  for (const [index, { method, path, type, answer }] of said.entries()) {
    if (method === 'POST' && path.startsWith('/workflow') && type === 'text/plain') starts.set(answer, index);
  }
  const places = said.map((one, index) => {
    const mentioned = `${one.path} ${one.body} ${one.answer}`.match(uuid) ?? [];
    return { one, place: Math.max(index, ...mentioned.map((id) => starts.get(id) ?? 0)) };
  });
  return places.toSorted((a, b) => a.place - b.place).map(({ one }) => one);
}

function describe(one: Said, names: Names): Recorded {
  const path = names.text(one.path, 'id');
  const body = one.body === '' ? undefined : names.value(parsed(one.body), '');
  return {
    method: one.method,
    path,
    ...(one.contentType === '' ? {} : { contentType: one.contentType }),
    ...(one.accept === '' ? {} : { accept: one.accept }),
    ...(body === undefined ? {} : { body }),
    status: one.status,
    ...(one.type === '' ? {} : { type: one.type }),
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
