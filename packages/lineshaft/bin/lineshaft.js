#!/usr/bin/env node
// There before the first build, so that npm links the command in the repository too. An older Node, which cannot load the
// rest, is told what it is.
import { readFileSync } from 'node:fs';

const { engines } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
const [, needed] = />=([\d.]+)/.exec(engines.node);
const { node } = process.versions;
if (node.localeCompare(needed, 'en', { numeric: true }) >= 0) {
  await import('../dist/main.js');
} else {
  process.stderr.write(`error: lineshaft needs Node ${needed} or newer, and this is Node ${node}\n`);
  process.exitCode = 1;
}
