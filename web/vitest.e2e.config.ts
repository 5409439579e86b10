import { defineConfig } from "vitest/config";

// Each file is one story on one stage, a daemon and a browser; its tests run in order. The times are those of a busy machine.
export default defineConfig({
  test: { include: ["e2e/**/*.test.ts"], environment: "node", testTimeout: 150_000, hookTimeout: 120_000, fileParallelism: false, bail: 1 },
});
