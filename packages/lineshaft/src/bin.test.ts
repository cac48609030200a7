import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const bin = fileURLToPath(new URL('../bin/lineshaft.js', import.meta.url));

test('an older Node is told what it is, before anything fails to load', () => {
  const versions = "Object.defineProperty(process,'versions',{value:{...process.versions,node:'22.9.0'}})";
  const parameters = ['--import', `data:text/javascript,${versions}`, bin, '--version'];
  const { status, stdout, stderr } = spawnSync(process.execPath, parameters, { encoding: 'utf8' });
  expect({ status, stdout, stderr }).toEqual({
    status: 1,
    stdout: '',
    stderr: 'error: lineshaft needs Node 22.18 or newer, and this is Node 22.9.0\n',
  });
});
