#!/usr/bin/env node
// There before the first build, so that npm links the command in the repository too.
import '../dist/main.js';
