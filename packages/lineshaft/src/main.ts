#!/usr/bin/env node
/** The command `lineshaft`. */

import { processHost } from './host.ts';
import { runCommand } from './program.ts';

await runCommand(process.argv.slice(2), processHost());
