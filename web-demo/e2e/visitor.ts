/** Somebody with a browser of their own, and what they do and see on the page. */

import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import {
  chromium,
  type Browser,
  type BrowserContextOptions,
  type Locator,
  type Page,
} from "playwright-core";

const RESULTS = fileURLToPath(new URL("../test-results", import.meta.url));

export function launch(): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
    args: [
      "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync",
    ],
  });
}

export const DESKTOP: BrowserContextOptions = { viewport: { width: 1440, height: 900 } };
export const PHONE: BrowserContextOptions = {
  viewport: { width: 390, height: 844 },
  deviceScaleFactor: 2,
  isMobile: true,
  hasTouch: true,
};

export interface CellPlace {
  readonly x: number;
  readonly y: number;
}

export class Visitor {
  readonly page: Page;
  /** What went wrong in the page, without connections that could not be made. */
  readonly errors: string[] = [];

  private constructor(page: Page) {
    this.page = page;
    page.on("pageerror", ({ message }) => this.errors.push(message));
    page.on("console", (message) => {
      const isAboutConnection = /WebSocket|ERR_CONNECTION/.test(message.text());
      if (message.type() === "error" && !isAboutConnection) this.errors.push(message.text());
    });
  }

  static async open(
    browser: Browser,
    url: string,
    options: BrowserContextOptions = DESKTOP,
  ): Promise<Visitor> {
    const context = await browser.newContext(options);
    const visitor = new Visitor(await context.newPage());
    await visitor.page.goto(url);
    await visitor.stage.and(visitor.page.locator("[aria-busy=false]")).waitFor();
    return visitor;
  }

  get stage(): Locator {
    return this.page.getByTestId("stage");
  }

  /** What is said in the chat. */
  get messages(): Locator {
    return this.page.getByTestId("messages");
  }

  get cursors(): Locator {
    return this.page.getByTestId("cursor");
  }

  get banner(): Locator {
    return this.page.getByTestId("banner");
  }

  get state(): Locator {
    return this.page.getByTestId("state");
  }

  name(): Promise<string> {
    return this.page.getByTestId("my-name").innerText();
  }

  async rename(name: string): Promise<void> {
    await this.page.getByRole("button", { name: /change your name/ }).click();
    await this.page.getByRole("textbox", { name: "Your name" }).fill(name);
    await this.page.getByRole("button", { name: "Save" }).click();
  }

  async say(text: string): Promise<void> {
    const field = this.page.getByRole("textbox", { name: "Message" });
    await field.fill(text);
    await field.press("Enter");
  }

  async choose(color: string): Promise<void> {
    await this.page.getByRole("radio", { name: color, exact: true }).click();
  }

  async point(cell: CellPlace): Promise<void> {
    const { x, y } = await this.placeOf(cell);
    await this.page.mouse.move(x, y);
  }

  /** Drags the mouse from cell to cell in few steps, so that the page has to fill the gaps. */
  async drag(from: CellPlace, to: CellPlace): Promise<void> {
    await this.point(from);
    await this.page.mouse.down();
    await this.point(to);
    await this.page.mouse.up();
  }

  /** Two fingers in the middle of the stage go apart. */
  async spread(from: number, to: number): Promise<void> {
    const session = await this.page.context().newCDPSession(this.page);
    const { x, y } = await this.placeOf({ x: 47.5, y: 31.5 });
    const fingers = (apart: number) => [{ x: x - apart, y }, { x: x + apart, y }];
    const send = (type: "touchStart" | "touchMove" | "touchEnd", touchPoints: CellPlace[]) =>
      session.send("Input.dispatchTouchEvent", { type, touchPoints });
    await send("touchStart", fingers(from));
    await send("touchMove", fingers((from + to) / 2));
    await send("touchMove", fingers(to));
    await send("touchEnd", []);
  }

  /** The color of a cell on the canvas, as `#rrggbb`, while the whole board is shown. */
  pixel({ x, y }: CellPlace): Promise<string> {
    return this.stage.locator("canvas").evaluate(
      (canvas: HTMLCanvasElement, [column, row]) => {
        const left = Math.floor(((column + 0.5) / 96) * canvas.width);
        const top = Math.floor(((row + 0.5) / 64) * canvas.height);
        const { data } = canvas.getContext("2d")!.getImageData(left, top, 1, 1);
        return `#${[...data.subarray(0, 3)].map((v) => v.toString(16).padStart(2, "0")).join("")}`;
      },
      [x, y] as const,
    );
  }

  /** How many cells are painted, as the page says. */
  async painted(): Promise<number> {
    return Number(await this.page.getByTestId("painted").getAttribute("data-painted"));
  }

  /** How far the page is wider than the screen. The stage clips what lies on the board. */
  overflow(): Promise<number> {
    return this.page.evaluate(() => {
      const { scrollWidth, clientWidth } = document.documentElement;
      const right = [...document.body.querySelectorAll("header, header *, main, main *:not([data-testid=stage] *)")]
        .filter((element) => element.getClientRects().length > 0)
        .map((element) => element.getBoundingClientRect().right);
      const clipped = Math.max(scrollWidth, document.body.scrollWidth) - clientWidth;
      return Math.max(clipped, Math.ceil(Math.max(...right)) - innerWidth);
    });
  }

  async screenshot(name: string): Promise<void> {
    await mkdir(RESULTS, { recursive: true });
    await this.page.screenshot({ path: `${RESULTS}/${name}.png` });
  }

  async leave(): Promise<void> {
    await this.page.context().close();
  }

  private async placeOf({ x, y }: CellPlace): Promise<CellPlace> {
    const box = await this.stage.boundingBox();
    if (!box) throw new Error("the stage is not shown");
    return {
      x: box.x + ((x + 0.5) / 96) * box.width,
      y: box.y + ((y + 0.5) / 64) * box.height,
    };
  }
}
