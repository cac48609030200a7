/** A progress bar on standard error: only on a terminal, and only for what takes longer than a second. */

import { performance } from 'node:perf_hooks';
import { styleText } from 'node:util';
import type { Host } from '../host.ts';

const showAfterMs = 1_000;
const redrawMs = 100;
const barWidth = 24;
const clearLine = '\r\u001b[2K';

export class Progress {
  private readonly host: Host;
  private readonly shown: boolean;
  private readonly startedMs = performance.now();
  private readonly timer: NodeJS.Timeout | undefined;
  private title: string;
  private done = 0;
  private total: number | undefined;
  private visible = false;

  /** @param total undefined: how much there is to do is not known, so only the time is shown. */
  constructor(host: Host, title: string, total?: number) {
    this.host = host;
    this.title = title;
    this.total = total;
    this.shown = host.stderr.isTTY === true;
    if (this.shown) this.timer = setInterval(() => this.draw(), redrawMs).unref();
  }

  update(done: number, total = this.total): void {
    this.done = done;
    this.total = total;
  }

  /** Another thing is done now; the bar starts anew. */
  next(title: string, total?: number): void {
    this.title = title;
    this.total = total;
    this.done = 0;
  }

  /** Takes the bar off the screen. */
  end(): void {
    clearInterval(this.timer);
    if (this.visible) this.host.stderr.write(clearLine);
    this.visible = false;
  }

  private draw(): void {
    const elapsedMs = performance.now() - this.startedMs;
    if (elapsedMs < showAfterMs) return;
    this.visible = true;
    const seconds = `${Math.floor(elapsedMs / 1_000)} s`;
    const { stderr } = this.host;
    if (this.total === undefined) {
      stderr.write(`${clearLine}${this.title} ${styleText('dim', seconds, { stream: stderr })}`);
      return;
    }
    const share = this.total === 0 ? 1 : Math.min(1, this.done / this.total);
    const full = Math.round(share * barWidth);
    const bar = styleText('cyan', '█'.repeat(full), { stream: stderr }) + '░'.repeat(barWidth - full);
    const count = `${this.done.toLocaleString('en')} of ${this.total.toLocaleString('en')}`;
    stderr.write(
      `${clearLine}${bar} ${this.title} ${count} ${styleText('dim', seconds, { stream: stderr })}`,
    );
  }
}
