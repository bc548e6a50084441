/** The query builder: what it sends, and what it knows of the rows. */

import { describe, expect, expectTypeOf, it } from "vitest";
import { keyOf, table, type Query, type Subscription, type SynclineClient } from "../src/index.js";
import * as q from "../src/builder/index.js";
import { $, and, count, desc, eq, from, ge, gt, me, sum } from "../src/builder/index.js";
import { MessagePackCodec } from "../src/wire/binary.js";
import { decodeMessagePack } from "../src/wire/msgpack.js";
import { JsonCodec } from "../src/wire/text.js";

interface Message {
  id: bigint;
  room: number;
  author: string;
  text: string;
  note: string | null;
  sent_at: bigint;
  score: number;
}

interface Member {
  room: number;
  user: string;
  last_read: bigint;
}

const t = {
  messages: table<Message, "score">("message"),
  members: table<Member>("member"),
};

type RowsOf<Q> = Q extends Query<infer R> ? R : never;

const queryOf = (query: Query<unknown>): any => (query.sql as { query: object }).query;
const col = (source: number, name: string): object => ({ column: [`t${source}`, name] });

it("reads all rows of a table, with their type", () => {
  const all = from(t.messages);
  expectTypeOf<RowsOf<typeof all>>().toEqualTypeOf<Message>();
  expect(all.sql).toEqual({ version: 1, query: { from: { of: { table: "message" }, as: "t0" } } });
});

it("writes every clause", () => {
  const unread = from(t.messages)
    .join(t.members, (m, b) => eq(m.room, b.room))
    .where((_, b) => eq(b.user, me()))
    .where((m, b) => gt(m.sent_at, b.last_read))
    .groupBy((m) => m.room)
    .having(() => gt(count(), 1))
    .select((m) => ({ room: m.room, n: count(), score: sum(m.score), ids: sum(m.id) }))
    .orderBy((m) => [desc(count()), m.room])
    .limit(50)
    .offset($.skip);
  expectTypeOf<RowsOf<typeof unread>>().toEqualTypeOf<{
    room: number;
    n: bigint;
    score: number | null;
    ids: bigint | null;
  }>();
  expect(queryOf(unread)).toEqual({
    select: [
      { as: ["room", col(0, "room")] },
      { as: ["n", "count_rows"] },
      { as: ["score", { call: ["sum", [col(0, "score")]] }] },
      { as: ["ids", { call: ["sum", [col(0, "id")]] }] },
    ],
    from: { of: { table: "message" }, as: "t0" },
    joins: [
      { of: { table: "member" }, as: "t1", on: { eq: [col(0, "room"), col(1, "room")] } },
    ],
    where: {
      and: [
        { eq: [col(1, "user"), { param: "me" }] },
        { gt: [col(0, "sent_at"), col(1, "last_read")] },
      ],
    },
    group: [col(0, "room")],
    having: { gt: ["count_rows", { value: 1 }] },
    order: [{ by: "count_rows", descending: true }, { by: col(0, "room") }],
    limit: { value: 50 },
    offset: { param: "skip" },
  });
});

it("joins in its ways, and knows what can be missing", () => {
  const pairs = from(t.messages)
    .leftJoin(t.members, (m, b) => eq(b.room, m.room))
    .crossJoin(t.members)
    .select((m, b, c) => ({ text: m.text, user: b.user, other: c.user, seen: eq(m.id, b.last_read) }));
  expectTypeOf<RowsOf<typeof pairs>>().toEqualTypeOf<{
    text: string;
    user: string | null;
    other: string;
    seen: boolean | null;
  }>();
  expect(queryOf(pairs).joins).toEqual([
    { of: { table: "member" }, as: "t1", kind: "left", on: { eq: [col(1, "room"), col(0, "room")] } },
    { of: { table: "member" }, as: "t2", kind: "cross" },
  ]);
  const left = from(t.messages)
    .join(t.members, (m, b) => eq(m.room, b.room))
    .select((_, b) => b);
  expectTypeOf<RowsOf<typeof left>>().toEqualTypeOf<Member>();
  expect(queryOf(left).select).toEqual([{ all_of: "t1" }]);
});

it("puts queries into queries", () => {
  const mine = from(t.members).where((b) => eq(b.user, me()));
  const query = from(t.messages).where((m) =>
    and(
      q.exists(mine.where((b) => eq(b.room, m.room))),
      q.isIn(m.room, mine.select((b) => ({ room: b.room }))),
      q.notExists(from(t.messages).where((other) => gt(other.sent_at, m.sent_at))),
    ),
  );
  const [inside, list, none] = queryOf(query).where.and;
  const member = (as: string): object => ({ of: { table: "member" }, as });
  expect(inside).toEqual({
    exists: {
      from: member("t1"),
      where: { and: [{ eq: [col(1, "user"), { param: "me" }] }, { eq: [col(1, "room"), col(0, "room")] }] },
    },
  });
  expect(list.in_query[0]).toEqual(col(0, "room"));
  expect(list.in_query[1]).toEqual({
    select: [{ as: ["room", col(2, "room")] }],
    from: member("t2"),
    where: { eq: [col(2, "user"), { param: "me" }] },
  });
  expect(none.not.exists.where).toEqual({ gt: [col(3, "sent_at"), col(0, "sent_at")] });

  const best = from(t.messages).select((m) => ({ top: q.max(m.score) }));
  const derived = from(
    from(t.messages)
      .groupBy((m) => m.room)
      .select((m) => ({ room: m.room, score: q.avg(m.score) })),
  )
    .where((room) => ge(room.score, q.scalar(best)))
    .select((room) => ({ double: q.mul(room.score, 2), room: room.room }));
  expectTypeOf<RowsOf<typeof derived>>().toEqualTypeOf<{
    double: number | null;
    room: number;
  }>();
  expect(queryOf(derived).from.as).toBe("t0");
  expect(queryOf(derived).from.of.query.from).toEqual({ of: { table: "message" }, as: "t1" });
  // The same query twice in another one.
  const twice = from(mine).join(mine, (a, b) => eq(a.room, b.room)).select((a) => a);
  expect(queryOf(twice).from.of.query.from.as).toBe("t2");
  expect(queryOf(twice).joins[0].of.query.from.as).toBe("t3");
});

it("unites, and goes on behind a row", () => {
  const rooms = from(t.members).select((b) => ({ room: b.room }));
  const both = rooms.union(from(t.messages).select((m) => ({ room: m.room }))).unionAll(rooms);
  expect(queryOf(both.distinct()).union).toMatchObject([{ all: false, query: {} }, { all: true, query: {} }]);
  const page = from(t.messages).orderBy((m) => desc(m.sent_at)).after(5n).limit(20);
  expect(queryOf(page)).toMatchObject({ after: [{ value: 5n }], limit: { value: 20 } });
  const inbox = from(q.view<Message, "score">("inbox", $.room, 3));
  expectTypeOf<RowsOf<typeof inbox>>().toEqualTypeOf<Message>();
  expect(queryOf(inbox).from.of).toEqual({ view: ["inbox", [{ param: "room" }, { value: 3 }]] });
  expect(queryOf(from(q.view("all"))).from.of).toEqual({ table: "all" });
});

describe("expressions", () => {
  const write = (select: (m: q.Columns<Message, "score">) => q.Expr<any, any>): unknown =>
    queryOf(from(t.messages).select((m) => ({ x: select(m) }))).select[0].as[1];

  it("are what the server reads", () => {
    const text = col(0, "text");
    const one = { value: 1 };
    const cases: [ReturnType<typeof write>, unknown][] = [
      [write((m) => q.ne(m.id, 1)), { ne: [col(0, "id"), one] }],
      [write((m) => q.lt(m.score, 1)), { lt: [col(0, "score"), one] }],
      [write((m) => q.le(m.score, $.x)), { le: [col(0, "score"), { param: "x" }] }],
      [write((m) => q.same(m.note, null)), { same: [col(0, "note"), { value: null }] }],
      [write((m) => q.between(m.id, $.a, 1n)), { between: [col(0, "id"), { param: "a" }, { value: 1n }] }],
      [write((m) => q.isNotNull(m.note)), { not: { is_null: col(0, "note") } }],
      [write((m) => q.or(q.isNull(m.note), q.not(eq(m.id, 1)))),
        { or: [{ is_null: col(0, "note") }, { not: { eq: [col(0, "id"), one] } }] }],
      [write((m) => q.like(m.text, "a%")), { like: [text, { value: "a%" }] }],
      [write((m) => q.like(m.text, "a!%", "!")), { like_escape: [text, { value: "a!%" }, "!"] }],
      [write((m) => q.isIn(m.room, [1, $.b])), { in: [col(0, "room"), [one, { param: "b" }]] }],
      [write((m) => q.isIn(m.room, $.list)), { in: [col(0, "room"), [{ param: "list" }]] }],
      [write((m) => q.sub(q.div(m.id, 1), q.rem(m.id, 1))),
        { subtract: [{ divide: [col(0, "id"), one] }, { remainder: [col(0, "id"), one] }] }],
      [write((m) => q.neg(q.abs(m.score))), { negate: { call: ["abs", [col(0, "score")]] } }],
      [write((m) => q.concat(q.lower(m.text), "x")),
        { concat: [{ call: ["lower", [text]] }, { value: "x" }] }],
      [write((m) => q.coalesce(m.note, "none")), { call: ["coalesce", [col(0, "note"), { value: "none" }]] }],
      [write((m) => q.caseWhen([[eq(m.id, 1), m.text]], q.lit("x"))),
        { case: { arms: [[{ eq: [col(0, "id"), one] }, text]], otherwise: { value: "x" } } }],
      [write((m) => q.cast(m.text, "i64")), { cast: [text, "i64"] }],
      [write((m) => q.countDistinct(m.room)), { call_distinct: ["count", [col(0, "room")]] }],
      [write((m) => q.boolOr(eq(m.id, 1))), { call: ["bool_or", [{ eq: [col(0, "id"), one] }]] }],
      [write(() => q.named("n")), { column: [null, "n"] }],
    ];
    for (const [written, expected] of cases) expect(written).toEqual(expected);
  });

  it("know their types", () => {
    const typed = from(t.messages).select((m) => ({
      whole: q.add(m.room, 1),
      big: q.mul(m.id, 2n),
      float: q.add(m.room, 0.5),
      floats: q.sub(m.score, m.room),
      open: q.add(m.room, $.x),
      lowest: q.min(m.score),
      first: q.min(m.text),
      size: q.length(m.text),
      maybe: q.length(m.note),
      given: q.coalesce(m.note, "none"),
      also: q.coalesce(m.note, m.note),
      sure: eq(m.id, 3),
      unsure: eq(m.note, "x"),
      small: q.cast(m.text, "u8"),
      large: q.cast(m.text, "i128"),
      real: q.cast(m.text, "f64"),
      n: q.countDistinct(m.room),
    }));
    expectTypeOf<RowsOf<typeof typed>>().toEqualTypeOf<{
      whole: bigint | null;
      big: bigint | null;
      float: number | null;
      floats: number | null;
      open: number | bigint | null;
      lowest: number | null;
      first: string | null;
      size: bigint;
      maybe: bigint | null;
      given: string;
      also: string | null;
      sure: boolean;
      unsure: boolean | null;
      small: number | null;
      large: bigint | null;
      real: number | null;
      n: bigint;
    }>();
    from(t.messages)
      // @ts-expect-error: text is no number
      .where((m) => eq(m.room, "one"))
      // @ts-expect-error: there is no such column
      .where((m) => eq(m.rooom, 1))
      // @ts-expect-error: a condition is needed
      .where((m) => m.text)
      // @ts-expect-error: text does not add
      .select((m) => ({ x: q.add(m.text, 1) }));
  });

  it("of sources that are not there are refused", () => {
    let other: q.Columns<Member> | undefined;
    from(t.members).where((b) => {
      other = b;
      return eq(b.room, 1);
    });
    const lost = from(t.messages).where((m) => eq(m.room, other!.room));
    expect(() => lost.sql).toThrow("does not read");
    expect(() => from(t.messages).where((m) => eq(m.room, undefined as never)).sql).toThrow("undefined");
  });
});

interface Price {
  name: string;
  amount: string;
  rate: string | null;
  count: number;
  weight: number;
  terms: unknown;
}

it("computes with decimals, and looks into JSON", () => {
  const prices = table<Price, "weight">("price");
  const amount = { cast: [col(0, "amount"), "decimal"] };
  const typed = from(prices)
    .where((p) => and(eq(p.amount, "12.50"), eq(q.getText(p.terms, "kind"), "x")))
    .select((p) => ({
      gross: q.round(q.mul(q.cast(p.amount, "decimal"), "1.19"), 2),
      whole: q.div(p.count, q.cast(p.amount, "decimal")),
      float: q.mul(q.cast(p.amount, "decimal"), p.weight),
      total: sum(q.cast(p.amount, "decimal")),
      mean: q.avg(q.cast(p.rate, "decimal")),
      plain: q.avg(p.count),
      third: q.floor(p.weight),
      first: q.get(q.get(p.terms, "list"), -1),
      kind: q.jsonType(p.terms),
      n: q.cast(q.get(p.terms, "n"), "i32"),
      most: q.greatest(p.count, 3),
      cut: q.replace(q.substr(q.trim(p.name), 2), "a", "b"),
      at: q.position(p.name, "x"),
    }));
  expectTypeOf<RowsOf<typeof typed>>().toEqualTypeOf<{
    gross: string | null;
    whole: string | null;
    float: number | null;
    total: string | null;
    mean: string | null;
    plain: number | null;
    third: number | null;
    first: any;
    kind: "null" | "boolean" | "number" | "string" | "array" | "object" | null;
    n: number | null;
    most: number | null;
    cut: string | null;
    at: bigint | null;
  }>();
  const items = (queryOf(typed).select as { as: [string, unknown] }[]).map((item) => item.as);
  const written = Object.fromEntries(items);
  expect(written).toMatchObject({
    gross: { call: ["round", [{ multiply: [amount, { value: "1.19" }] }, { value: 2 }]] },
    first: { get: [{ get: [col(0, "terms"), { value: "list" }] }, { value: -1 }] },
    kind: { call: ["json_type", [col(0, "terms")]] },
    n: { cast: [{ get: [col(0, "terms"), { value: "n" }] }, "i32"] },
    most: { call: ["greatest", [col(0, "count"), { value: 3 }]] },
    at: { call: ["strpos", [col(0, "name"), { value: "x" }]] },
  });
  expect(written["cut"]).toEqual({
    call: ["replace", [
      { call: ["substr", [{ call: ["trim", [col(0, "name")]] }, { value: 2 }]] },
      { value: "a" },
      { value: "b" },
    ]],
  });
});

it("is equal text for equal queries", () => {
  const build = (room: number | bigint): Query<Message> =>
    from(t.messages).where((m) => eq(m.room, room));
  expect(keyOf(build(1))).toBe(keyOf(build(1)));
  expect(keyOf(build(1))).not.toBe(keyOf(build(1n)));
  expect(keyOf(t.messages)).toBe('SELECT * FROM "message"');
});

it("travels with its values in the form of the encoding", () => {
  const at = new Date(2);
  const query = from(t.messages).where((m) =>
    and(eq(m.id, 1n << 60n), gt(m.sent_at, at), eq(m.author, "é"), eq(m.score, 0.5)),
  );
  const values = (written: any): unknown[] =>
    written.query.where.and.map((each: any) => (each.eq ?? each.gt)[1].value);
  const bytes = new MessagePackCodec().query(query.sql) as Uint8Array;
  expect(values(decodeMessagePack(bytes))).toEqual([1n << 60n, 2000, "é", 0.5]);
  const json = JSON.parse(JSON.stringify(new JsonCodec().query(query.sql)));
  expect(values(json)).toEqual([String(1n << 60n), "2000", "é", 0.5]);
});

it("is taken by the client with its type", () => {
  const subscribe = (client: SynclineClient) => client.subscribe(from(t.members), { params: {} });
  expectTypeOf<ReturnType<typeof subscribe>>().toEqualTypeOf<Subscription<Member>>();
});
