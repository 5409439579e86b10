import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// The built files are committed, so that `go build` needs no Node. Names carry a hash of the content: the server lets browsers keep
// them forever. The server puts a nonce in the place of __CSP_NONCE__ in each answer.
export default defineConfig({
  base: "/web/dashboard/",
  plugins: [react()],
  html: { cspNonce: "__CSP_NONCE__" },
  build: {
    target: ["chrome123", "firefox120", "safari17.5"],
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0, // the policy of the page allows no data: scripts or styles
    manifest: "manifest.json", // says what the page loads at once: scripts/web measures it
    reportCompressedSize: false,
  },
  server: { proxy: { "/api": "http://127.0.0.1:8080" } },
  test: { include: ["test/**/*.test.ts"], environment: "node" },
});
