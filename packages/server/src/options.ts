/** What a server is made from, and the check of it. */

import {
  didYouMean,
  type Lineshaft,
  LineshaftError,
  type Log,
  type Worker,
  type Workflows,
} from '@lineshaft/core';
import type { ApiKeysOfGate } from './access/gate.ts';

/** What the server itself asks of an installation; `Lineshaft` is one. */
export type Installation = Pick<Lineshaft, 'demandSchema' | 'workers' | 'statementCounts'> & {
  readonly apiKeys: ApiKeysOfGate;
};

export interface ServerOptions {
  /** The installation that is served. The server does not close it. */
  readonly lineshaft: Installation;
  /** What the dialects ask of workflows. */
  readonly workflows: Workflows;
  /** A worker of this process, whose counters `/metrics` shows. */
  readonly worker?: Pick<Worker, 'metrics'>;
  /** The address to listen on. Default `127.0.0.1`; beyond loopback a key is demanded of every caller. */
  readonly host?: string;
  /** 0 to 65,535. Default 8080; 0: any that is free. */
  readonly port?: number;
  /** Largest body of a request, in bytes, 1 KiB to 1 GiB. Default 16 MiB. */
  readonly bodyMaxBytes?: number;
  /** Longest time in which a request must have arrived whole, in milliseconds, 100 to 3,600,000. Default 30 s. */
  readonly requestTimeoutMs?: number;
  /** Where is said what happens, one line for each request. Default: nowhere. */
  readonly log?: Log;
}

export type CheckedOptions = Required<Omit<ServerOptions, 'log' | 'worker'>> &
  Pick<ServerOptions, 'log' | 'worker'>;

const ranges = {
  port: [0, 65_535],
  bodyMaxBytes: [1_024, 1_073_741_824],
  requestTimeoutMs: [100, 3_600_000],
} as const;

const names = ['lineshaft', 'workflows', 'worker', 'host', 'port', 'bodyMaxBytes', 'requestTimeoutMs', 'log'];

/** @throws LineshaftError OPTION_INVALID, OPTION_UNKNOWN */
export function checkServerOptions(options: ServerOptions): CheckedOptions {
  for (const name of Object.keys(options)) {
    if (names.includes(name)) continue;
    throw new LineshaftError('OPTION_UNKNOWN', {
      message: `a server has no option '${name}'${didYouMean(name, names)}`,
      details: { field: name },
    });
  }
  const checked = {
    host: '127.0.0.1',
    port: 8080,
    bodyMaxBytes: 16 * 1_024 * 1_024,
    requestTimeoutMs: 30_000,
    ...options,
  };
  if (typeof checked.host !== 'string' || checked.host === '')
    throw invalid('host', 'an address or a name', checked.host);
  for (const [name, [least, most]] of Object.entries(ranges)) {
    const value = checked[name as keyof typeof ranges];
    if (Number.isInteger(value) && value >= least && value <= most) continue;
    throw invalid(name, `a whole number from ${least} to ${most}`, value);
  }
  return checked;
}

function invalid(field: string, wanted: string, value: unknown): LineshaftError {
  return new LineshaftError('OPTION_INVALID', {
    message: `${field} must be ${wanted}, not ${JSON.stringify(value) ?? String(value)}`,
    details: { field },
  });
}
