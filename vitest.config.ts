import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    // Plain Node with type stripping: Vite's runner would load graphql's development build beside the normal one.
    experimental: { viteModuleRunner: false },
    reporters: ['default', './test/testkit/reporter.ts'],
    globalSetup: ['test/testkit/postgres.ts'],
    include: ['apps/*/src/**/*.test.ts', 'apps/*/test/**/*.test.ts', 'tools/**/*.test.ts', 'test/**/*.test.ts'],
    testTimeout: 20_000,
    hookTimeout: 60_000,
  },
});
