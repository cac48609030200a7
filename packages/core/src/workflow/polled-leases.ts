/**
 * What the database is told of the steps that this process has taken for polls: that their answers were sent, that nobody
 * received them, that the answer of a claim was lost, and when somebody must look who takes back what was not heard of.
 */

import type { Clock } from '../domain/clock.ts';
import type { Session } from '../store/session.ts';
import type { BoundStatements } from '../store/statements.ts';
import { type HandOut, HandOuts } from './hand-outs.ts';
import type { HandedSteps } from './handed-steps.ts';
import type { PolledStep } from './port.ts';

const undoAgainMs = 10_000;

export class PolledLeases {
  private readonly session: Session;
  private readonly statements: BoundStatements;
  private readonly clock: Clock;
  private readonly handed: HandedSteps;
  private readonly onTrouble: (error: unknown) => void;
  private readonly handOuts: HandOuts;
  /** Claims whose answer was lost: what they took is given back. */
  private readonly lost: string[] = [];
  /** Rescuers look at this time, by the monotonic clock. */
  private toldUntilMs = 0;

  constructor(parts: {
    readonly session: Session;
    readonly statements: BoundStatements;
    readonly clock: Clock;
    readonly handed: HandedSteps;
    readonly onTrouble: (error: unknown) => void;
  }) {
    this.session = parts.session;
    this.statements = parts.statements;
    this.clock = parts.clock;
    this.handed = parts.handed;
    this.onTrouble = parts.onTrouble;
    this.handOuts = new HandOuts({
      clock: parts.clock,
      tell: (steps) => this.tellSent(steps),
      isOut: (stepId) => this.handed.get(stepId) !== undefined,
    });
  }

  /** A claim has taken it for a poll. */
  taken(stepId: string, claim: string): void {
    this.handOuts.taken(stepId, claim);
  }

  /** A poll was answered with it. @param sent its answer counts as sent; false: that will be said */
  answered(polled: PolledStep, sent: boolean): void {
    this.handed.add(polled);
    if (sent) this.handOuts.sent(polled.step.id);
    else this.handOuts.answered(polled.step.id);
  }

  /** The answer with these steps was sent. */
  confirm(stepIds: readonly string[]): void {
    for (const stepId of stepIds) this.handOuts.sent(stepId);
  }

  /** Puts steps back that nobody received. Returns how many. */
  async giveBack(stepIds: readonly string[]): Promise<number> {
    if (stepIds.length === 0) return 0;
    for (const stepId of stepIds) {
      this.handed.forget(stepId);
      this.handOuts.forget(stepId);
    }
    const [[returned = '0'] = []] = await this.session.query(this.statements.returnPolled, [stepIds]);
    return Number(returned);
  }

  /** The answer of a claim was lost. */
  lose(claim: string): void {
    this.lost.push(claim);
  }

  /** Some claims are not given back yet. */
  get anyLost(): boolean {
    return this.lost.length > 0;
  }

  /**
   * Gives back what was taken by claims whose answer was lost; a second time after a while, since one may still have been at
   * work in the database.
   */
  async undoLost(): Promise<void> {
    for (let claim = this.lost[0]; claim !== undefined; claim = this.lost[0]) {
      const undo = [this.statements.returnClaim, [claim]] as const;
      await this.session.query(...undo);
      this.lost.shift();
      this.clock.after(undoAgainMs, () => void this.session.query(...undo).catch(() => {}), true);
    }
  }

  /**
   * A rescuer may sleep for long: it is told who must be heard of before, and not again until that time.
   * @param first in how many ms that is
   */
  async tellRescuers(first: string | null | undefined): Promise<void> {
    if (first == null) return;
    const now = this.clock.monotonic();
    const atMs = now + Number(first);
    if (this.toldUntilMs > now && this.toldUntilMs <= atMs) return;
    this.toldUntilMs = atMs;
    await this.session.query(this.statements.tellRescuers).catch((error: unknown) => this.onTrouble(error));
  }

  /** Tells of what was sent. */
  close(): Promise<void> {
    return this.handOuts.close();
  }

  private async tellSent(steps: readonly HandOut[]): Promise<void> {
    const sorted = [...steps].sort((one, other) => (one.stepId < other.stepId ? -1 : 1));
    const [[first] = []] = await this.session.query(this.statements.confirmPolled, [
      `{${sorted.map(({ stepId }) => stepId).join(',')}}`,
      sorted.map(({ claim }) => claim),
      `{${sorted.map(({ sent }) => sent).join(',')}}`,
    ]);
    await this.tellRescuers(first);
  }
}
