import { defineConfig } from "vitest/config";

// One browser, one daemon, one story: the tests of a file run in order.
export default defineConfig({
  test: { include: ["e2e/**/*.test.ts"], environment: "node", testTimeout: 90_000, hookTimeout: 60_000, fileParallelism: false, bail: 1 },
});
