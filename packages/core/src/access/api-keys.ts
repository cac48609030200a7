/**
 * Keys of callers of the HTTP server: made, listed, revoked, and asked whose a secret or a token is. Secrets and tokens
 * are random and have 256 bits; the database has their SHA-256 only, so what it holds opens nothing.
 */

import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { invalidOption, LineshaftError } from '../domain/errors.ts';
import { boundedText, maxDurationMs, wholeNumber } from '../domain/fields.ts';
import { didYouMean } from '../domain/suggest.ts';
import type { Notifications } from '../queue/notifications.ts';
import type { Pool } from '../store/pool.ts';
import type { BoundStatements } from '../store/statements.ts';

export interface ApiKey {
  /** `lsk_` and 16 hexadecimal digits; no secret. */
  readonly keyId: string;
  readonly name: string;
  readonly createdAt: Date;
  /** undefined: never. */
  readonly expiresAt: Date | undefined;
  readonly expired: boolean;
  /** To the minute; undefined: never. */
  readonly lastUsedAt: Date | undefined;
}

/** A key with its secret, which nobody can read again. */
export interface NewApiKey {
  readonly keyId: string;
  /** `lss_` and 43 characters. */
  readonly keySecret: string;
  readonly name: string;
  readonly createdAt: Date;
  readonly expiresAt: Date | undefined;
}

/** Whose a secret or a token is. */
export interface KeyHolder {
  readonly keyId: string;
  readonly name: string;
  /** How long it still holds, in ms; undefined: until it is revoked. */
  readonly leftMs: number | undefined;
}

/** How long a token holds, unless its key ends before. */
const tokenLifeMs = 12 * 3_600_000;
const noHash = Buffer.alloc(32);

export class ApiKeys {
  private readonly pool: Pool;
  private readonly statements: BoundStatements;
  private readonly notifications: Notifications;

  constructor(pool: Pool, statements: BoundStatements, notifications: Notifications) {
    this.pool = pool;
    this.statements = statements;
    this.notifications = notifications;
  }

  /**
   * Makes a key. From then on all servers demand one.
   *
   * @param options.name For people, 1 to 200 characters.
   * @param options.expiresInMs 1 s to 10 years; default: it holds until it is revoked.
   * @throws LineshaftError OPTION_INVALID
   * @example const { keyId, keySecret } = await lineshaft.apiKeys.create({ name: 'ci' });
   */
  async create(options: { name: string; expiresInMs?: number }): Promise<NewApiKey> {
    const name = boundedText(options.name, 'name', 1, 200);
    const { expiresInMs = null } = options;
    if (expiresInMs !== null) wholeNumber(expiresInMs, 'expiresInMs', 1_000, maxDurationMs);
    const keyId = `lsk_${randomBytes(8).toString('hex')}`;
    const keySecret = `lss_${randomBytes(32).toString('base64url')}`;
    const values = [keyId, name, hashOf(keySecret), expiresInMs];
    const [row] = await this.pool.query<KeyRow>(this.statements.createApiKey, values);
    if (row === undefined) throw new TypeError('one key has one row');
    return { keyId, keySecret, name, createdAt: row.created_at, expiresAt: row.expires_at ?? undefined };
  }

  async list(): Promise<ApiKey[]> {
    const rows = await this.pool.query<KeyRow>(this.statements.listApiKeys);
    return rows.map((row) => ({
      keyId: row.key_id,
      name: row.name,
      createdAt: row.created_at,
      expiresAt: row.expires_at ?? undefined,
      expired: row.expired,
      lastUsedAt: row.last_used_at ?? undefined,
    }));
  }

  /** Forgets a key; its secret and its tokens open nothing any more. @throws LineshaftError KEY_NOT_FOUND */
  async revoke(keyId: string): Promise<void> {
    boundedText(keyId, 'keyId', 1, 200);
    const gone = await this.pool.query(this.statements.revokeApiKey, [keyId]);
    if (gone.length > 0) return;
    const keys = (await this.list()).map((key) => key.keyId);
    throw new LineshaftError('KEY_NOT_FOUND', {
      message: `there is no API key '${keyId.slice(0, 60)}'${didYouMean(keyId, keys)}; see: lineshaft token list`,
      details: { keyId },
    });
  }

  /** Whether there is a key, also one that has expired: then servers demand one. */
  async any(): Promise<boolean> {
    const [row] = await this.pool.query<{ present: boolean }>(this.statements.anyApiKey);
    return row?.present === true;
  }

  /** Whose a secret or a token is; undefined: nobody's, or it has expired or was revoked. */
  async holderOf(credential: string): Promise<KeyHolder | undefined> {
    const [row] = await this.pool.query<HolderRow>(this.statements.findApiKey, [hashOf(credential)]);
    return row === undefined
      ? undefined
      : { keyId: row.key_id, name: row.name, leftMs: row.left_ms ?? undefined };
  }

  /**
   * A token for a key: `lst_` and 43 characters, which hold for 12 hours and at all servers, or until the key ends.
   * undefined: the key or its secret is wrong.
   */
  async issueToken(keyId: string, keySecret: string): Promise<string | undefined> {
    if (typeof keyId !== 'string') throw invalidOption('keyId', keyId, 'a text');
    if (typeof keySecret !== 'string') throw invalidOption('keySecret', keySecret, 'a text');
    const [row] = await this.pool.query<{ secret_hash: Buffer }>(this.statements.secretOfKey, [keyId]);
    // Also compared where there is no such key: the answer takes as long.
    const right = timingSafeEqual(row?.secret_hash ?? noHash, hashOf(keySecret));
    if (row === undefined || !right) return undefined;
    const token = `lst_${randomBytes(32).toString('base64url')}`;
    const [issued] = await this.pool.query<{ expires_at: Date | null }>(this.statements.issueToken, [
      keyId,
      hashOf(token),
      tokenLifeMs,
    ]);
    return issued?.expires_at == null ? undefined : token;
  }

  /**
   * Calls back when keys were made or revoked, and when that may have been missed. `connected` says whether changes are
   * told at all: behind a pooler they are not. Returns what ends it.
   */
  watch(onChange: () => void): { readonly connected: () => boolean; readonly end: () => void } {
    const end = this.notifications.add({
      onMessage: (type) => {
        if (type === 'k') onChange();
      },
      onConnected: onChange,
      resting: () => true,
    });
    return { connected: () => this.notifications.connected, end };
  }
}

function hashOf(secret: string): Buffer {
  return hash('sha256', secret, 'buffer');
}

interface KeyRow {
  readonly key_id: string;
  readonly name: string;
  readonly created_at: Date;
  readonly expires_at: Date | null;
  readonly expired: boolean;
  readonly last_used_at: Date | null;
}

interface HolderRow {
  readonly key_id: string;
  readonly name: string;
  readonly left_ms: number | null;
}
