/** The report of the demo for people. */

import { relative } from 'node:path';
import { type Report, wasted } from './report.ts';
import { bar, count, duration, shorten, size, type Terminal, table } from './terminal.ts';

export function printReport(terminal: Terminal, report: Report, reportFile: string, totalMs: number): void {
  const title = (text: string): string => terminal.paint('bold', text);
  const { packages, files, bytes, duplicates } = report;
  terminal.say(
    '',
    title(
      `${count(packages)} packages   ${count(files)} files   ${size(bytes)}   ${duration(totalMs)} in all`,
    ),
    '',
    title('Licences'),
    ...indented(licences(terminal, report)),
    '',
    title('The ten largest'),
    ...indented(
      table(
        report.largest.map((line) => [size(line.bytes), count(line.files), line.licence, nameOf(line)]),
        [0, 1],
      ),
    ),
    '',
    title(
      `The same file more than once: ${count(duplicates.files)} files, ${size(duplicates.wastedBytes)} too much`,
    ),
    ...indented(
      table(
        duplicates.largest.map((line) => [
          size(wasted(line)),
          `${count(line.copies)} ×`,
          shorten(line.file, terminal.columns - 26),
        ]),
        [0, 1],
      ),
    ),
    '',
    `The report is in ${relative(process.cwd(), reportFile)}`,
    '',
    title('What next'),
    ...indented([
      'npx lineshaft job list --schema lineshaft_demo   the jobs that just ran',
      'npx node examples/01-first-job.ts                a job and its worker, in a few lines',
      'docs/start/first-job.md                          your own first job in five minutes',
      'npm test                                         all tests, on a real PostgreSQL',
      'npm run bench -- list                            what the speed is measured against',
    ]),
    '',
  );
}

function licences(terminal: Terminal, report: Report): string[] {
  const width = 24;
  const most = report.licences[0]?.packages ?? 1;
  const rows = table(
    report.licences.map(({ licence, packages }) => [licence, count(packages)]),
    [1],
  );
  const recognised = report.licences.some(({ licence }) => licence.endsWith(' *'));
  return [
    ...rows.map((row, place) => {
      const share = (report.licences[place]?.packages ?? 0) / most;
      return `${row}   ${terminal.paint('cyan', bar(share, width).replaceAll('─', ''))}`.trimEnd();
    }),
    ...(recognised
      ? [terminal.paint('dim', '* not in the manifest; recognised by the text of the licence file')]
      : []),
  ];
}

function nameOf(line: { readonly name: string; readonly version: string }): string {
  return `${line.name} ${line.version}`;
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}
