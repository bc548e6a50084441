import { OutcomeUnknownError, ConnectionError, ReducerError, SynclineError } from "@syncline/client";
import { describe, expect, it } from "vitest";
import type { Message } from "../board.generated";
import { bytes, counted, initials, milliseconds, timeOf } from "./format";
import { groupMessages } from "./message-groups";
import { noticeOf, sentence } from "./notice";
import { settingsOf } from "./settings";
import { sparkline } from "./sparkline";

describe("numbers and names", () => {
  it.each([
    [0, "0 B"], [812, "812 B"], [999, "999 B"], [1000, "1.0 kB"], [1234, "1.2 kB"],
    [34_567, "35 kB"], [999_700, "1.0 MB"], [5_600_000, "5.6 MB"], [7.2e12, "7200 GB"],
  ])("%d bytes", (value, text) => {
    expect(bytes(value)).toBe(text);
  });

  it.each([
    [null, "–"], [0.42, "0.4 ms"], [9.96, "10 ms"], [12.4, "12 ms"], [1300, "1.3 s"],
  ])("%d milliseconds", (value, text) => {
    expect(milliseconds(value)).toBe(text);
  });

  it("counts", () => {
    expect(counted(1, "pixel")).toBe("1 pixel");
    expect(counted(2345n, "pixel")).toBe("2,345 pixels");
  });

  it.each([["Quiet Otter", "QO"], ["ada", "A"], ["  ", ""], ["a b c", "AC"], ["😀 x", "😀X"]])(
    "initials of %j",
    (name, text) => {
      expect(initials(name)).toBe(text);
    },
  );

  it("adds the day to times of other days", () => {
    const now = new Date(2026, 4, 3, 15, 7);
    expect(timeOf(new Date(2026, 4, 3, 9, 5), now)).toMatch(/9:05/);
    expect(timeOf(new Date(2026, 4, 2, 9, 5), now)).toMatch(/2.*,.*9:05/);
  });
});

describe("notices", () => {
  it("tells what a person can do", () => {
    const refused = noticeOf(new ReducerError("REDUCER_ERROR", "a name needs at least one character"));
    expect(refused).toMatchObject({ kind: "error", text: "A name needs at least one character." });
    expect(noticeOf(new ConnectionError("CONNECTION_LOST", "gone")).kind).toBe("warning");
    expect(noticeOf(new OutcomeUnknownError()).text).toContain("shows when it is back");
    expect(noticeOf(new SynclineError("NO_REDUCER", "no", "look")).hint).toBe("look");
    expect(noticeOf("odd").text).toBe("odd");
  });

  it("makes sentences", () => {
    expect(sentence("über alles")).toBe("Über alles.");
    expect(sentence("Done!")).toBe("Done!");
    expect(sentence("")).toBe(".");
  });
});

describe("settings", () => {
  it.each([
    ["", undefined, "board"],
    ["?database=other", undefined, "other"],
    ["?server=10.0.0.5:4510", "http://10.0.0.5:4510", "board"],
    ["?server=https://db.example.com&database=", "https://db.example.com", "board"],
    ["?server=::::", undefined, "board"],
  ])("%j", (search, server, database) => {
    expect(settingsOf(search)).toEqual({ server, database });
  });
});

describe("sparkline", () => {
  it("spans the width, and small values stay low", () => {
    expect(sparkline([0, 4], 10, 20)).toBe("0,18.5 10,1.5");
    expect(sparkline([0, 8, 4], 10, 20)).toBe("0,18.5 5,1.5 10,10");
    expect(sparkline([1], 10, 20)).toBe("0,14.25");
  });
});

describe("message groups", () => {
  const message = (id: bigint, author: string, minutes: number, name = author): Message => ({
    id, author, name, text: String(id), sent_at: BigInt(minutes) * 60_000_000n,
  });

  it("go by author, name and time", () => {
    const groups = groupMessages([
      message(1n, "a", 0),
      message(2n, "a", 4),
      message(3n, "a", 10),
      message(4n, "b", 10),
      message(5n, "a", 11),
      message(6n, "a", 11, "renamed"),
    ]);
    expect(groups.map(({ messages }) => messages.map(({ id }) => Number(id)))).toEqual([
      [1, 2], [3], [4], [5], [6],
    ]);
    expect(groupMessages([])).toEqual([]);
  });
});
