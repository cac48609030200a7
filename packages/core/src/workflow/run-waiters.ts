/**
 * Waiting for runs: who waits is told by what this process writes, and by what others announce while somebody waits; now
 * and then it is asked, in case an announcement was missed.
 */

import type { Clock } from '../domain/clock.ts';
import { LineshaftError } from '../domain/errors.ts';
import type { Notifications } from '../queue/notifications.ts';
import type { BoundStatements } from '../store/statements.ts';
import type { RunView } from './port.ts';
import type { RunStore } from './run-store.ts';

interface Wait {
  /** Runs whose changes may matter to it; undefined: all. */
  readonly runIds: ReadonlySet<string>;
  look(): void;
}

const registrationMs = 30_000;
const pollConnectedMs = 2_000;
const pollBlindMs = 100;

export class RunWaiters {
  private readonly store: RunStore;
  private readonly statements: BoundStatements;
  private readonly notifications: Notifications;
  private readonly clock: Clock;
  private readonly id: string;
  private readonly waits = new Set<Wait>();
  private unlisten: (() => void) | undefined;
  private registeredUntilMs = Number.NEGATIVE_INFINITY;
  private closed = false;

  constructor(parts: {
    readonly store: RunStore;
    readonly statements: BoundStatements;
    readonly notifications: Notifications;
    readonly clock: Clock;
    readonly id: string;
  }) {
    this.store = parts.store;
    this.statements = parts.statements;
    this.notifications = parts.notifications;
    this.clock = parts.clock;
    this.id = parts.id;
  }

  /**
   * Resolves with what is shown when `done` says so of it, or when the time is over: then with the last view.
   * @param show reads the run; what it throws is thrown
   */
  async wait(
    runId: string,
    show: () => Promise<RunView>,
    done: (view: RunView) => boolean,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
  ): Promise<RunView> {
    const endMs = this.clock.monotonic() + options.timeoutMs;
    let changed = false;
    let wakeUp: (() => void) | undefined;
    const wait: Wait = {
      runIds: new Set([runId]),
      look: () => {
        changed = true;
        wakeUp?.();
      },
    };
    await this.register();
    this.waits.add(wait);
    try {
      for (;;) {
        changed = false;
        const view = await show();
        const leftMs = endMs - this.clock.monotonic();
        if (done(view) || leftMs <= 0 || options.signal?.aborted === true) return view;
        if (this.closed) throw new LineshaftError('CLOSED', { message: 'waiting for a run was ended' });
        await this.register();
        if (changed) continue;
        const pollMs = this.notifications.connected ? pollConnectedMs : pollBlindMs;
        await this.pause(Math.min(leftMs, pollMs), options.signal, (wake) => {
          wakeUp = wake;
        });
      }
    } finally {
      this.waits.delete(wait);
    }
  }

  /** Runs have changed in this process. */
  changed(runIds: readonly string[]): void {
    if (this.waits.size === 0) return;
    for (const wait of this.waits) if (runIds.some((id) => wait.runIds.has(id))) wait.look();
  }

  async close(): Promise<void> {
    this.closed = true;
    this.unlisten?.();
    for (const wait of this.waits) wait.look();
    if (this.registeredUntilMs > this.clock.monotonic())
      await this.store.write(this.statements.unregisterRunWaiter, [this.id]).catch(() => {});
  }

  /** While this process waits, changes of runs are announced. */
  private async register(): Promise<void> {
    this.unlisten ??= this.notifications.add({
      onMessage: (type, body) => this.announced(type, body),
      onConnected: () => this.lookAtAll(),
      resting: () => this.waits.size === 0,
    });
    const nowMs = this.clock.monotonic();
    if (nowMs < this.registeredUntilMs - registrationMs / 2) return;
    this.registeredUntilMs = nowMs + registrationMs;
    await this.store.write(this.statements.registerRunWaiter, [this.id, registrationMs]);
  }

  private announced(type: string, body: string): void {
    if (type !== 'w' || this.waits.size === 0) return;
    if (body === '') this.lookAtAll();
    else this.changed(body.split(','));
  }

  private lookAtAll(): void {
    for (const wait of this.waits) wait.look();
  }

  private pause(
    ms: number,
    signal: AbortSignal | undefined,
    onWake: (wake: () => void) => void,
  ): Promise<void> {
    return new Promise((resolve) => {
      const takeBack = this.clock.after(ms, finish);
      signal?.addEventListener('abort', finish, { once: true });
      onWake(finish);
      function finish(): void {
        takeBack();
        signal?.removeEventListener('abort', finish);
        resolve();
      }
    });
  }
}
