/** Whether the server is new enough and set up so that what was acknowledged survives a crash. */
import { statements } from '../statements.generated.ts';
import { ask, type Check, type Finding } from './finding.ts';

export const settingsCheck: Check = {
  code: 'settings',
  fine: 'the server is set up for durable data',
  needsSchema: false,
  async run(examination) {
    const rows = await ask<{ name: string; setting: string }>(examination, statements.doctorSettings);
    return judgeSettings(new Map(rows.map(({ name, setting }) => [name, setting])));
  },
};

/** What is wrong with the settings of a server. Pure. */
export function judgeSettings(settings: ReadonlyMap<string, string>): Finding[] {
  const findings: Finding[] = [];
  const version = Math.floor(Number(settings.get('server_version_num') ?? 0) / 10_000);
  if (version < 15) {
    findings.push({
      code: 'server-version',
      severity: 'error',
      title: `the server is PostgreSQL ${version}; Lineshaft needs 15 or newer`,
      detail: '',
      remedy: 'Upgrade the server.',
    });
  }
  for (const { name, bad, risk } of switches) {
    if (settings.get(name) !== 'off') continue;
    findings.push({
      code: `setting-${name.replaceAll('_', '-')}`,
      severity: bad,
      title: `${name} is off: ${risk}`,
      detail: '',
      remedy: `Set ${name} = on.`,
    });
  }
  return findings;
}

const switches = [
  { name: 'fsync', bad: 'error', risk: 'a crash of the machine may destroy the whole database' },
  { name: 'full_page_writes', bad: 'error', risk: 'a crash of the machine may leave torn pages' },
  { name: 'synchronous_commit', bad: 'error', risk: 'a crash loses jobs and results that were acknowledged' },
  { name: 'autovacuum', bad: 'warning', risk: 'dead rows pile up and claims get slower and slower' },
  { name: 'track_counts', bad: 'warning', risk: 'autovacuum does not see dead rows' },
] as const;
