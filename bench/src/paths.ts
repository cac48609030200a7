/** Where the bench keeps its things. */
import { fileURLToPath } from 'node:url';

export const benchDirectory = fileURLToPath(new URL('..', import.meta.url));
export const repositoryDirectory = fileURLToPath(new URL('../..', import.meta.url));
export const resultsDirectory = fileURLToPath(new URL('../results/', import.meta.url));
export const venvDirectory = fileURLToPath(new URL('../.venv/', import.meta.url));
export const venvPython = `${venvDirectory}bin/python`;
