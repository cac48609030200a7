/** The requests of callers and of workers that poll: kept connections, and word of the moment at which all bytes are out. */
import { Agent, request } from 'node:http';

export interface Answer {
  readonly status: number;
  readonly text: string;
}

const agent = new Agent({ keepAlive: true, maxSockets: 64 });
const timeoutMs = 15_000;

/** @throws Error where there is no answer */
export function ask(method: string, url: string, body?: unknown, onSent?: () => void): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const out = request(url, { method, agent, headers: { 'content-type': 'application/json' } }, (answer) => {
      const parts: Buffer[] = [];
      answer.on('data', (part: Buffer) => parts.push(part));
      answer.once('error', reject);
      // Cut off in the middle.
      answer.once('close', () => reject(new Error('the answer is not whole')));
      answer.once('end', () =>
        resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(parts).toString() }),
      );
    });
    out.once('error', reject);
    out.setTimeout(timeoutMs, () => out.destroy(new Error(`no answer within ${timeoutMs} ms`)));
    if (onSent !== undefined) out.once('finish', onSent);
    out.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
