/**
 * Who a request is of, and whether keys are demanded at all. What the database says is kept in memory for seconds, and
 * thrown away at once when it tells that keys have changed.
 */

import type { ApiKeys } from '@lineshaft/core';
import { LineshaftError } from '@lineshaft/core';
import { type Caller, localCaller } from '../http/caller.ts';
import type { Credential } from './credentials.ts';
import { Failures } from './failures.ts';

/** How long an answer of the database holds: where it cannot tell of changes, that is how long a revoked key lives. */
const heldMs = 5_000;
const callersMax = 10_000;

interface Known {
  readonly caller: Caller | undefined;
  readonly untilMs: number;
}

export interface GateOptions {
  readonly keys: ApiKeysOfGate;
  /** Whether the server can be reached by nobody else than this machine. */
  readonly onLoopback: boolean;
  /** Monotonic, in ms. */
  readonly now: () => number;
}

export type ApiKeysOfGate = Pick<ApiKeys, 'any' | 'holderOf' | 'issueToken' | 'watch'>;

export class Gate {
  private readonly options: GateOptions;
  private readonly known = new Map<string, Known>();
  private readonly asking = new Map<string, Promise<Caller | undefined>>();
  private readonly failures = new Failures();
  private readonly watch: { readonly end: () => void };
  private demanded: { readonly value: boolean; readonly untilMs: number } | undefined;
  private askingDemand: Promise<boolean> | undefined;
  private generation = 0;

  constructor(options: GateOptions) {
    this.options = options;
    this.watch = options.keys.watch(() => this.forget());
  }

  close(): void {
    this.watch.end();
  }

  /** Whether callers must have a key: beyond loopback always, else as soon as there is one. */
  async demandsKey(): Promise<boolean> {
    if (!this.options.onLoopback) return true;
    const { demanded } = this;
    if (demanded !== undefined && demanded.untilMs > this.options.now()) return demanded.value;
    this.askingDemand ??= this.askDemand().finally(() => {
      this.askingDemand = undefined;
    });
    return await this.askingDemand;
  }

  /** Who makes a request, as far as that is known without asking the database; undefined: `identify` has to. */
  recall(credential: Credential | undefined): Caller | undefined {
    const nowMs = this.options.now();
    if (this.options.onLoopback) {
      const { demanded } = this;
      if (demanded === undefined || demanded.untilMs <= nowMs) return undefined;
      if (!demanded.value) return localCaller;
    }
    if (credential === undefined) return undefined;
    const known = this.known.get(credential.secret);
    if (known?.caller === undefined || known.untilMs <= nowMs) return undefined;
    return credential.keyId === undefined || credential.keyId === known.caller.keyId
      ? known.caller
      : undefined;
  }

  /** Who makes a request from this address. @throws LineshaftError UNAUTHENTICATED, TOO_MANY_FAILURES */
  async identify(credential: Credential | undefined, address: string): Promise<Caller> {
    if (!(await this.demandsKey())) return localCaller;
    if (credential === undefined)
      throw unauthenticated('this server demands a key, and the request has none');
    const { secret, keyId } = credential;
    const known = this.known.get(secret);
    const held = known !== undefined && known.untilMs > this.options.now();
    // Who was known is asked for again whatever others at his address do.
    if (known?.caller === undefined) this.demandPatience(address);
    const caller = held ? known.caller : await this.ask(secret);
    if (caller !== undefined && (keyId === undefined || keyId === caller.keyId)) return caller;
    this.failures.count(address, this.options.now());
    const token = secret.startsWith('lst_');
    throw unauthenticated(
      `the ${token ? 'token' : 'key'} is wrong, has expired or was revoked`,
      token ? 'EXPIRED_TOKEN' : 'INVALID_TOKEN',
    );
  }

  /** A token for a key. @throws LineshaftError UNAUTHENTICATED, TOO_MANY_FAILURES */
  async token(keyId: string, keySecret: string, address: string): Promise<string> {
    this.demandPatience(address);
    const token = await this.options.keys.issueToken(keyId, keySecret);
    if (token !== undefined) return token;
    this.failures.count(address, this.options.now());
    throw unauthenticated('the key id or the secret is wrong, or the key has expired or was revoked');
  }

  private forget(): void {
    this.generation += 1;
    for (const [secret, { caller }] of this.known) this.known.set(secret, { caller, untilMs: 0 });
    this.asking.clear();
    this.demanded = undefined;
    this.askingDemand = undefined;
  }

  private async askDemand(): Promise<boolean> {
    const { generation } = this;
    const value = await this.options.keys.any();
    if (generation === this.generation) this.demanded = { value, untilMs: this.options.now() + heldMs };
    return value;
  }

  /** One question for all requests with the same secret. */
  private ask(secret: string): Promise<Caller | undefined> {
    let asked = this.asking.get(secret);
    if (asked === undefined) {
      const fresh = this.look(secret).finally(() => {
        if (this.asking.get(secret) === fresh) this.asking.delete(secret);
      });
      this.asking.set(secret, fresh);
      asked = fresh;
    }
    return asked;
  }

  private async look(secret: string): Promise<Caller | undefined> {
    const { generation } = this;
    const holder = await this.options.keys.holderOf(secret);
    const caller = holder === undefined ? undefined : { keyId: holder.keyId, name: holder.name };
    if (generation !== this.generation) return caller;
    const untilMs = this.options.now() + Math.min(heldMs, holder?.leftMs ?? heldMs);
    this.known.delete(secret);
    this.known.set(secret, { caller, untilMs });
    const [oldest] = this.known.keys();
    if (this.known.size > callersMax && oldest !== undefined) this.known.delete(oldest);
    return caller;
  }

  private demandPatience(address: string): void {
    const seconds = this.failures.waitSeconds(address, this.options.now());
    if (seconds === 0) return;
    throw new LineshaftError('TOO_MANY_FAILURES', {
      message: `too many wrong keys came from this address: try again in ${seconds} s`,
      details: { retryAfterSeconds: seconds },
    });
  }
}

function unauthenticated(message: string, error = 'INVALID_TOKEN'): LineshaftError {
  return new LineshaftError('UNAUTHENTICATED', {
    message: `${message}; make one: lineshaft token create`,
    details: { error },
  });
}
