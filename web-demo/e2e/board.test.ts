/**
 * Ada and Bob paint and talk; the server is killed in the middle and started again. Every test goes on
 * where the one before ended.
 */

import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { line } from "../src/logic/board/line";
import { PALETTE, PAPER_HEX } from "../src/logic/board/palette";
import { Server } from "./server";
import { DESKTOP, launch, PHONE, Visitor, type CellPlace } from "./visitor";

const hexOf = (name: string): string => PALETTE.find((swatch) => swatch.name === name)!.hex;

/** How long a poll waits: long for a busy machine, for what takes moments on an idle one. */
const SOON = { timeout: 15_000, interval: 50 };

describe("the board", () => {
  let server: Server;
  let browser: Browser;
  let ada: Visitor;
  let bob: Visitor;

  beforeAll(async () => {
    server = await Server.start();
    await server.publish("board");
    browser = await launch();
    ada = await Visitor.open(browser, server.url);
    bob = await Visitor.open(browser, server.url);
  });
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
  });

  /** Both see a cell in a color. */
  const expectPixel = async (cell: CellPlace, hex: string): Promise<void> => {
    for (const visitor of [ada, bob]) {
      await expect.poll(() => visitor.pixel(cell), SOON).toBe(hex);
    }
  };

  it("comes from the server, with what the module has painted", async () => {
    await expectPixel({ x: 46, y: 32 }, hexOf("Red"));
    await expectPixel({ x: 3, y: 3 }, PAPER_HEX.light);
    expect(await ada.page.title()).toBe("Syncline board");
    await expect.poll(() => ada.messages.innerText(), SOON).toContain("Pick a color and paint");
    expect(await ada.state.innerText()).toBe("Live");
  });

  it("says what is missing", async () => {
    const page = await (await browser.newContext(DESKTOP)).newPage();
    await page.goto(`${server.url}/?database=nowhere`);
    const banner = page.getByTestId("banner");
    await expect.poll(() => banner.innerText(), SOON).toContain("No database named nowhere.");
    await page.context().close();
  });

  it("shows who is here, under the names they take", async () => {
    await ada.rename("Ada");
    await expect.poll(() => ada.name(), SOON).toBe("Ada");
    await bob.rename("Bob");
    for (const visitor of [ada, bob]) {
      const count = visitor.page.getByTestId("online-count");
      await expect.poll(() => count.innerText(), SOON).toMatch(/^2\b/);
      await count.click();
      const names = visitor.page.getByTestId("online");
      await expect.poll(() => names.innerText(), SOON).toMatch(/Ada[^]*Bob|Bob[^]*Ada/);
      await visitor.page.keyboard.press("Escape");
    }
  });

  it("refuses a name that is too long, and says why", async () => {
    await ada.rename("x".repeat(30));
    const toast = ada.page.getByTestId("toast");
    await expect.poll(() => toast.innerText(), SOON).toContain("at most 24 characters");
    await toast.getByRole("button", { name: "Close this message" }).click();
    await ada.page.keyboard.press("Escape");
    expect(await ada.name()).toBe("Ada");
  });

  it("shows where the others point at", async () => {
    await ada.point({ x: 20, y: 10 });
    await expect.poll(() => bob.cursors.allInnerTexts(), SOON).toEqual(["Ada"]);
    expect(await ada.cursors.count()).toBe(0);
    const place = async (): Promise<number> => {
      const [stage, cursor] = [await bob.stage.boundingBox(), await bob.cursors.boundingBox()];
      return Math.floor(((cursor!.x - stage!.x) / stage!.width) * 96);
    };
    await expect.poll(place, SOON).toBe(20);
    await ada.point({ x: 60, y: 10 });
    await expect.poll(place, SOON).toBe(60);
  });

  it("shows what one paints to the other, without gaps", async () => {
    const before = await bob.painted();
    await ada.choose("Green");
    await ada.drag({ x: 5, y: 5 }, { x: 40, y: 19 });
    const stroke = line({ x: 5, y: 5 }, { x: 40, y: 19 });
    await expect.poll(() => bob.painted(), SOON).toBe(before + stroke.length);
    const colors = (): Promise<string[]> => Promise.all(stroke.map((cell) => bob.pixel(cell)));
    await expect.poll(colors, SOON).toEqual(stroke.map(() => hexOf("Green")));
    await bob.choose("Orchid");
    await bob.drag({ x: 80, y: 50 }, { x: 80, y: 50 });
    await ada.point({ x: 70, y: 60 });
    await bob.point({ x: 70, y: 60 });
    await expectPixel({ x: 80, y: 50 }, hexOf("Orchid"));
  });

  it("can be painted with the keyboard alone", async () => {
    await bob.stage.focus();
    for (const key of ["ArrowRight", "ArrowDown", "ArrowDown", "Space"]) {
      await bob.page.keyboard.press(key);
    }
    await expect.poll(() => ada.pixel({ x: 49, y: 34 }), SOON).toBe(hexOf("Orchid"));
    await bob.stage.blur();
  });

  it("ranks painters by what they have painted", async () => {
    const rows = bob.page.getByTestId("leaders").getByRole("listitem");
    const texts = async (): Promise<string> => (await rows.allInnerTexts()).join(" | ");
    await expect.poll(texts, SOON).toMatch(/^1\s+A\s+Ada[^|]*\s36 \| 2\s+B\s+Bob[^|]*\s2$/);
  });

  it("carries what is said", async () => {
    await ada.say("Hello from Ada");
    await expect.poll(() => bob.messages.innerText(), SOON).toContain("Hello from Ada");
    await bob.say("Hello from Bob");
    await expect.poll(() => ada.messages.innerText(), SOON).toContain("Hello from Bob");
  });

  it("keeps its view when the server is killed, and says so", async () => {
    await server.kill();
    for (const visitor of [ada, bob]) {
      const { banner } = visitor;
      await expect.poll(() => banner.innerText(), SOON).toContain("Reconnecting, your view stays");
      expect(await visitor.messages.innerText()).toContain("Hello from Bob");
    }
    await expectPixel({ x: 40, y: 19 }, hexOf("Green"));
    await ada.screenshot("offline");
  });

  it("comes back by itself with everything that was there", async () => {
    await server.startAgain();
    for (const visitor of [ada, bob]) {
      await expect.poll(() => visitor.state.innerText(), SOON).toBe("Live");
      expect(await visitor.messages.innerText()).toContain("Hello from Ada");
    }
    await expectPixel({ x: 5, y: 5 }, hexOf("Green"));
    await expectPixel({ x: 80, y: 50 }, hexOf("Orchid"));
    expect(await ada.name()).toBe("Ada");
    // Not from memory: a new visitor sees the same.
    const eve = await Visitor.open(browser, server.url);
    await expect.poll(() => eve.pixel({ x: 80, y: 50 }), SOON).toBe(hexOf("Orchid"));
    await expect.poll(() => eve.messages.innerText(), SOON).toContain("Hello from Bob");
    await eve.leave();
  });

  it("can be painted again", async () => {
    await bob.choose("Sky");
    await bob.drag({ x: 10, y: 60 }, { x: 30, y: 60 });
    await bob.point({ x: 70, y: 20 });
    await expectPixel({ x: 21, y: 60 }, hexOf("Sky"));
    await ada.say("Still here");
    await expect.poll(() => bob.messages.innerText(), SOON).toContain("Still here");
    const count = bob.page.getByTestId("online-count");
    await expect.poll(() => count.innerText(), SOON).toMatch(/^2\b/);
    expect(ada.errors).toEqual([]);
    expect(bob.errors).toEqual([]);
  });

  it.each([
    ["light", { ...DESKTOP, colorScheme: "light" }],
    ["dark", { ...DESKTOP, colorScheme: "dark" }],
    ["phone", { ...PHONE, colorScheme: "light" }],
    ["phone-dark", { ...PHONE, colorScheme: "dark" }],
    ["phone-small", { ...PHONE, viewport: { width: 320, height: 568 } }],
    ["phone-landscape", { ...PHONE, viewport: { width: 844, height: 390 } }],
    ["tablet", { ...DESKTOP, viewport: { width: 820, height: 1180 } }],
  ] as const)("fits: %s", async (name, options) => {
    await ada.point({ x: 64, y: 40 });
    const guest = await Visitor.open(browser, server.url, options);
    await expect.poll(() => guest.cursors.count(), SOON).toBeGreaterThan(0);
    await guest.page.waitForTimeout(400);
    await guest.screenshot(name);
    expect(await guest.overflow()).toBeLessThanOrEqual(0);
    const paper = name.includes("dark") ? PAPER_HEX.dark : PAPER_HEX.light;
    expect(await guest.pixel({ x: 3, y: 60 })).toBe(paper);
    expect(guest.errors).toEqual([]);
    await guest.leave();
  });

  it("has targets for fingers, zooms with two of them, and keeps a chosen theme", async () => {
    const guest = await Visitor.open(browser, server.url, { ...PHONE, colorScheme: "light" });
    const box = (await guest.stage.boundingBox())!;
    await guest.choose("Yellow");
    await guest.page.touchscreen.tap(
      box.x + (90.5 / 96) * box.width,
      box.y + (4.5 / 64) * box.height,
    );
    await expect.poll(() => ada.pixel({ x: 90, y: 4 }), SOON).toBe(hexOf("Yellow"));
    const small = await guest.page.locator("button:visible, input:visible").evaluateAll((all) =>
      all
        .filter((each) => each.getBoundingClientRect().height < 44)
        .map((each) => each.getAttribute("aria-label") ?? each.textContent),
    );
    expect(small).toEqual([]);
    const painted = await ada.painted();
    await guest.spread(30, 120);
    const fit = guest.page.getByRole("button", { name: "Show the whole board" });
    await expect.poll(() => fit.isEnabled(), SOON).toBe(true);
    await guest.screenshot("phone-zoomed");
    await fit.click();
    await expect.poll(() => fit.isEnabled(), SOON).toBe(false);
    expect(await ada.painted()).toBe(painted);
    await guest.page.getByTestId("theme").click();
    await expect.poll(() => guest.pixel({ x: 3, y: 60 }), SOON).toBe(PAPER_HEX.dark);
    await guest.page.reload();
    await expect.poll(() => guest.pixel({ x: 3, y: 60 }), SOON).toBe(PAPER_HEX.dark);
    await guest.leave();
  });
});
