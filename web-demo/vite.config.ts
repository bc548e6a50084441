import react from "@vitejs/plugin-react";
import { defaultClientConditions } from "vite";
import { defineConfig } from "vitest/config";

/** Server that `npm run dev` passes requests on to. */
const SERVER = process.env["SYNCLINE_SERVER"] ?? "http://127.0.0.1:4510";

export default defineConfig({
  plugins: [react()],
  // The sources of our packages, so that nothing has to be built before the page.
  resolve: { conditions: ["syncline-source", ...defaultClientConditions] },
  build: { target: ["chrome123", "firefox121", "safari17.5"] },
  server: { proxy: { "/v1": { target: SERVER, ws: true } } },
  test: { include: ["src/**/*.test.ts"] },
});
