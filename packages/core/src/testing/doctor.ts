/** What tests of the doctor share. */
import { type ExamineOptions, examine, type Finding } from '../store/doctor.ts';
import type { Queryable } from '../store/schema-version.ts';

/** Examines with the real clock. */
export async function look(client: Queryable, options: Partial<ExamineOptions> = {}): Promise<Finding[]> {
  return await examine(client, { now: Date.now, ...options });
}

/** What is wrong, leaving out that test servers are fast rather than durable. */
export function wrong(findings: readonly Finding[]): Finding[] {
  return findings.filter(({ severity, code }) => severity !== 'ok' && code !== 'setting-fsync');
}
