/** The layers: who may import whom. ARCHITECTURE.md has the picture. */
const core = '^packages/core/src';
const layer = (name, from, to, comment) => ({
  name,
  comment,
  severity: 'error',
  from: { path: from },
  to: { path: to },
});

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      comment: 'A cycle has no order in which it can be understood.',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    layer(
      'domain-is-pure',
      `${core}/domain/`,
      `${core}/(store|queue|workflow|worker|services|adapters)/|^node_modules/`,
      'Decisions are pure: data in, data out.',
    ),
    {
      name: 'domain-without-node',
      comment: 'Clock, ids, randomness and environment come in as arguments.',
      severity: 'error',
      from: { path: `${core}/domain/`, pathNot: '\\.test\\.ts$' },
      to: { dependencyTypes: ['core'] },
    },
    layer(
      'store-knows-only-domain',
      `${core}/store/`,
      `${core}/(queue|worker|services|adapters)/`,
      'SQL knows nothing of who calls it.',
    ),
    layer(
      'queue-below-worker',
      `${core}/queue/`,
      `${core}/(worker|adapters)/`,
      'A producer must not drag in the worker.',
    ),
    layer(
      'workflow-below-services',
      `${core}/workflow/`,
      `${core}/(worker|services|adapters)/`,
      'Workflows decide and write; who runs steps and loops knows them, they know nobody.',
    ),
    layer(
      'queue-below-workflow',
      `${core}/(queue|store|plugins)/`,
      `${core}/workflow/`,
      'A job does not know that it is a step.',
    ),
    layer(
      'access-beside-queue',
      `${core}/access/`,
      `${core}/(worker|workflow|services|adapters)/`,
      'Who may call knows nothing of what is called.',
    ),
    layer(
      'services-below-worker',
      `${core}/services/`,
      `${core}/(worker|adapters)/`,
      'Services run in a worker and do not know it.',
    ),
    layer(
      'adapters-are-leaves',
      `${core}/adapters/`,
      `${core}/(store|worker|services)/`,
      'An adapter only translates.',
    ),
    {
      name: 'driver-only-in-store',
      comment: 'SQL and its driver live in the store.',
      severity: 'error',
      from: { path: `${core}/`, pathNot: `${core}/(store|testing)/|\\.test\\.ts$` },
      to: { path: '^node_modules/(pg|@types/pg)/' },
    },
    {
      name: 'command-uses-the-public-index',
      comment: 'What the command needs of core is public.',
      severity: 'error',
      from: { path: '^packages/lineshaft/src', pathNot: '\\.test\\.ts$' },
      to: {
        path: '^packages/core/(src|dist)/',
        pathNot: '^packages/core/(src|dist)/(index|producer)\\.(ts|js|d\\.ts)$',
      },
    },
    {
      name: 'server-uses-the-public-index',
      comment: 'What the server needs of core is public; it holds no SQL and no rules.',
      severity: 'error',
      from: { path: '^packages/server/src', pathNot: '\\.test\\.ts$' },
      to: {
        path: '^packages/core/(src|dist)/|^node_modules/pg/',
        pathNot: '^packages/core/(src|dist)/index\\.(ts|js|d\\.ts)$',
      },
    },
    layer(
      'http-knows-no-dialect',
      '^packages/server/src/http/',
      '^packages/server/src/dialects/',
      'What holds for every route knows none of them.',
    ),
    layer(
      'core-without-a-server',
      '^packages/core',
      '^packages/server',
      'The library is whole without HTTP.',
    ),
    layer(
      'nobody-imports-the-command',
      '^packages/(core|server)',
      '^packages/lineshaft',
      'The command is the composition root.',
    ),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '\\.generated\\.ts$|/dist/.*\\.map$|\\.(test|conformance)\\.ts$|/testing/|/fixtures/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.base.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'types', 'default'] },
  },
};
