/** A real server as a process of its own, which can be killed and started again. */

import { spawn, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const TARGET = fileURLToPath(new URL("../../target", import.meta.url));
const START_MS_MAX = 30_000;

export class Server {
  readonly url: string;
  private readonly data: string;
  private readonly port: number;
  private process: ChildProcess | undefined;

  private constructor(data: string, port: number) {
    this.data = data;
    this.port = port;
    this.url = `http://127.0.0.1:${port}`;
  }

  /** Starts on a free port with an empty data folder. */
  static async start(): Promise<Server> {
    const data = await mkdtemp(join(tmpdir(), "syncline-e2e-"));
    const server = new Server(data, await freePort());
    await server.startAgain();
    return server;
  }

  /** Starts on the same port with the same data. */
  async startAgain(): Promise<void> {
    const address = `127.0.0.1:${this.port}`;
    const options = ["start", "--listen", address, "--data", this.data];
    const child = spawn(binary(), options, { stdio: ["ignore", "pipe", "pipe"] });
    this.process = child;
    const said: string[] = [];
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(failure("does not start", said)), START_MS_MAX);
      const hear = (line: string): void => {
        said.push(line);
        if (!line.includes(`http://${address}`)) return;
        clearTimeout(timer);
        resolve();
      };
      createInterface({ input: child.stdout }).on("line", hear);
      createInterface({ input: child.stderr }).on("line", hear);
      child.once("error", reject);
      child.once("exit", (code) => reject(failure(`ended with ${code}`, said)));
    });
  }

  /** SIGKILL: no time to say goodbye to anybody, or to write anything. */
  async kill(): Promise<void> {
    const child = this.process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
  }

  async publish(database: string): Promise<void> {
    const folder = process.env["SYNCLINE_MODULES"] ?? join(TARGET, "modules");
    const wasm = await readFile(join(folder, `${database}.wasm`));
    const token = await readFile(join(this.data, "admin.token"), "utf8");
    const answer = await fetch(`${this.url}/v1/databases/${database}/publish`, {
      method: "POST",
      headers: { authorization: `Bearer ${token.trim()}`, "content-type": "application/wasm" },
      body: wasm,
    });
    if (!answer.ok) throw new Error(`publish: ${answer.status} ${await answer.text()}`);
  }

  async stop(): Promise<void> {
    await this.kill();
    await rm(this.data, { recursive: true, force: true });
  }
}

function failure(what: string, said: readonly string[]): Error {
  return new Error(`the server ${what}:\n${said.join("\n")}`);
}

function binary(): string {
  const built = ["debug", "release"].map((profile) => join(TARGET, profile, "syncline"));
  const found = process.env["SYNCLINE_BIN"] ?? built.find((path) => existsSync(path));
  if (!found) throw new Error("no server: cargo build -p syncline-cli, or name one in SYNCLINE_BIN");
  return found;
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => void probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
