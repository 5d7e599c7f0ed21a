/** Jest runs the TypeScript sources as ES modules; programs that a test starts run from dist/ (built first by ./hufu). */
export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/apps', '<rootDir>/libs', '<rootDir>/test'],
  testMatch: ['**/*.spec.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  testTimeout: 60_000,
  maxWorkers: 2,
  globalSetup: '<rootDir>/test/env/global-setup.ts',
  globalTeardown: '<rootDir>/test/env/global-teardown.ts',
  moduleNameMapper: {
    '^#libs/platform/domain$': '<rootDir>/libs/platform/src/domain/index.ts',
    '^#libs/platform/host$': '<rootDir>/libs/platform/src/host.ts',
    '^#libs/hsm/agent$': '<rootDir>/libs/hsm/src/agent-process.ts',
    '^#libs/hsm/token$': '<rootDir>/libs/hsm/src/token.ts',
    '^#libs/journal/verify$': '<rootDir>/libs/journal/src/verify/index.ts',
    '^#libs/ceremony/verify$': '<rootDir>/libs/ceremony/src/verify/index.ts',
    '^#libs/hsm/processes$': '<rootDir>/libs/hsm/src/processes.ts',
    '^#libs/([^/]+)$': '<rootDir>/libs/$1/src/index.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        swcrc: false,
        sourceMaps: 'inline',
        jsc: {
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true },
          target: 'es2024',
          keepClassNames: true,
        },
        module: { type: 'es6' },
      },
    ],
  },
};
