/**
 * Takes out of a conversation what differs from run to run: ids become names by the order in which they came up, times
 * become a word. What is left is what a server says.
 */
import type { Exchange } from './conversation.ts';

const uuid = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;
const isoTime = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g;
/** Of these keys a number is a duration, which no two runs share. */
const durations = new Set(['executionTime', 'queueWaitTime']);
/** Addresses of objects in the reference's messages. */
const address = /\/0x[0-9a-f]{8,}/g;
/** Names of classes before the reference's messages. */
const exception = /\bjava\.[\w.]+(?:Exception|Error): /g;
/** The id that scenarios use where there is nothing of that id. */
const nothing = '00000000-0000-4000-8000-000000000000';
/** An id that first comes up under one of these, or alone in an answer, is that of a run. */
const runKeys = /workflow.*id$|failure_workflow$/i;
/** Rehearsed runs have domains that nobody knows. */
const domainKeys = new Set(['domain', 'taskToDomain']);

/** The times that a test can meet: from 2015 to 2065, in milliseconds. */
const earliest = Date.UTC(2015, 0);
const latest = Date.UTC(2065, 0);

/** The exchanges of one conversation, in order. */
export function normalise(exchanges: readonly Exchange[]): Exchange[] {
  const names = new Names();
  return exchanges.map(({ call, status, type, body }) => ({
    call: names.text(call, 'id'),
    status,
    type,
    body: names.value(body, ''),
  }));
}

/** Gives names to ids in the order in which they come up. */
export class Names {
  readonly #names = new Map<string, string>();
  readonly #counts = new Map<string, number>();

  value(value: unknown, key: string): unknown {
    if (key === 'instance') return '<host>';
    if (typeof value === 'string') return this.text(value, roleOf(key));
    if (typeof value === 'number') return this.#number(value, key);
    if (Array.isArray(value)) return ordered(value, key).map((item) => this.value(item, key));
    if (typeof value !== 'object' || value === null) return value;
    // Sorted, so that the order in which a server writes its keys does not change who is first.
    const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(
      entries.map(([name, item]) => [
        this.text(name, 'step'),
        this.value(item, domainKeys.has(key) ? key : name),
      ]),
    );
  }

  text(text: string, role: string): string {
    return text
      .replace(uuid, (id) => this.#name(id, role))
      .replace(isoTime, (time) => (Date.parse(time) < earliest ? time : '<time>'))
      .replace(address, '/<address>')
      .replace(exception, '');
  }

  #number(value: number, key: string): unknown {
    if (durations.has(key)) return '<ms>';
    return value >= earliest && value <= latest ? '<time>' : value;
  }

  #name(id: string, role: string): string {
    if (id === nothing) return '<nothing>';
    const known = this.#names.get(id);
    if (known !== undefined) return known;
    const count = (this.#counts.get(role) ?? 0) + 1;
    this.#counts.set(role, count);
    const name = `<${role} ${count}>`;
    this.#names.set(id, name);
    return name;
  }
}

function roleOf(key: string): string {
  if (domainKeys.has(key)) return 'domain';
  return key === '' || runKeys.test(key) ? 'run' : 'step';
}

/** Violations come in any order. */
function ordered(list: readonly unknown[], key: string): readonly unknown[] {
  if (key !== 'validationErrors') return list;
  return list.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}
