/** The real server as its own process, on a data folder that is removed at the end. */

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const target = fileURLToPath(new URL("../../../target/", import.meta.url));
const binary = process.env["SYNCLINE_BIN"] ?? join(target, "debug/syncline");
const modules = process.env["SYNCLINE_MODULES"] ?? join(target, "modules");

/** What must be built first, if something must. */
export function missing(): string | null {
  if (!existsSync(binary)) return `no ${binary}: cargo build -p syncline-cli`;
  const wasm = join(modules, "scripted.wasm");
  return existsSync(wasm) ? null : `no ${wasm}: cargo xtask modules`;
}

export class Server {
  url = "";
  private readonly folder: string;
  private child: ChildProcess | undefined;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async start(): Promise<Server> {
    const server = new Server(await mkdtemp(join(tmpdir(), "syncline-corpus-")));
    await server.run();
    return server;
  }

  /** SIGKILL, and again on the same folder. */
  async killAndRestart(): Promise<void> {
    await this.end("SIGKILL");
    await this.run();
  }

  async stop(): Promise<void> {
    await this.end("SIGTERM");
    await rm(this.folder, { recursive: true });
  }

  async adminToken(): Promise<string> {
    return (await readFile(join(this.folder, "data/admin.token"), "utf8")).trim();
  }

  async publish(database: string, module: string): Promise<void> {
    const response = await fetch(`${this.url}/v1/databases/${database}/publish`, {
      method: "POST",
      headers: { authorization: `Bearer ${await this.adminToken()}` },
      body: await readFile(join(modules, `${module}.wasm`)),
    });
    if (!response.ok) throw new Error(await response.text());
  }

  private async run(): Promise<void> {
    const data = join(this.folder, "data");
    const child = spawn(binary, ["start", "--listen", "127.0.0.1:0", "--data", data], {
      env: { ...process.env, SYNCLINE_LOG: "error" },
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.child = child;
    const lines = createInterface({ input: child.stdout });
    for await (const line of lines) {
      const found = /http:\/\/\S+/.exec(line);
      if (found) {
        this.url = found[0];
        return;
      }
    }
    throw new Error("the server ended before it listened");
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    const { child } = this;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, "exit");
    child.kill(signal);
    await exit;
  }
}
