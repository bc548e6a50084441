/** The cache against a model: folded deltas are the rows that a fresh answer would have. */

import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CacheMismatch, isEmpty, LiveCache, type Changes } from "../src/cache/live-cache.js";
import { ResultShape, type Row } from "../src/cache/shape.js";
import type { ResultColumn, ResultDescription, Type } from "../src/index.js";
import { compileCompare, isEqual } from "../src/values/compare.js";
import { JsonCodec } from "../src/wire/text.js";
import { anyType, valuesOf } from "./arbitrary.js";
import { jsonOf, packAll, packOps, type FakeDelta, type Values } from "./fake-server.js";

/** A result of any shape, with an order or without. */
const description: fc.Arbitrary<ResultDescription> = fc
  .array(fc.tuple(anyType, fc.boolean()), { minLength: 1, maxLength: 10 })
  .chain((types) => {
    const position = fc.nat(types.length - 1);
    const columns = types.map(
      ([type, hidden], i): ResultColumn => ({ name: `c${i}`, type, hidden }),
    );
    return fc.record({
      columns: fc.constant(columns),
      key: fc.uniqueArray(position, { minLength: 1, maxLength: 2 }),
      order: fc.array(fc.record({ column: position, descending: fc.boolean() }), { maxLength: 2 }),
    });
  });

/** A description with rows for it, from which a history is made. */
const history = description.chain((description) => {
  const types = description.columns.map(({ type }) => type);
  const row = fc.tuple(...types.map(valuesOf));
  return fc.record({
    description: fc.constant(description),
    transactions: fc.array(fc.array(fc.tuple(row, fc.boolean()), { maxLength: 6 }), {
      minLength: 1,
      maxLength: 8,
    }),
    encoding: fc.constantFrom("packed" as const, "json" as const),
  });
});

const keyText = ({ key, columns }: ResultDescription, row: Values): string =>
  packAll(key.map((it) => columns[it]!.type), [key.map((it) => row[it])]).toString("hex");

/** What the server does: rows by key, and the delta from each transaction to the next. */
class Model {
  readonly rows = new Map<string, Values>();
  private readonly description: ResultDescription;

  constructor(description: ResultDescription) {
    this.description = description;
  }

  /** Puts or removes rows, and returns the net change. */
  step(changes: readonly (readonly [row: Values, isDelete: boolean])[]): FakeDelta {
    const { columns, key } = this.description;
    const before = new Map(this.rows);
    for (const [row, isDelete] of changes) {
      const name = keyText(this.description, row);
      if (isDelete) this.rows.delete(name);
      else this.rows.set(name, row);
    }
    const keyOf = (row: Values): Values => key.map((it) => row[it]);
    const delta = {
      handle: 1,
      description: this.description,
      insert: [] as Values[],
      update: [] as [Values, Record<string, unknown>][],
      delete: [] as Values[],
    };
    for (const [name, now] of this.rows) {
      const old = before.get(name);
      const changed = columns.flatMap((column, i) =>
        old && !isEqual(old[i], now[i]) ? [[column.name, now[i]] as const] : [],
      );
      if (!old) delta.insert.push(now);
      else if (changed.length > 0) delta.update.push([keyOf(now), Object.fromEntries(changed)]);
    }
    for (const [name, old] of before) if (!this.rows.has(name)) delta.delete.push(keyOf(old));
    return delta;
  }

  /** The visible rows, in the order of the result if it has one. */
  answer(): Row[] {
    const { columns, key, order } = this.description;
    const steps = [...order, ...key.map((column) => ({ column, descending: false }))];
    const rows = [...this.rows.values()];
    if (order.length > 0) {
      rows.sort((a, b) => {
        for (const { column, descending } of steps) {
          const result = compileCompare(columns[column]!.type)(a[column], b[column]);
          if (result !== 0) return descending ? -result : result;
        }
        return 0;
      });
    }
    return rows.map(
      (row) =>
        Object.fromEntries(
          columns.flatMap(({ name, hidden }, i) => (hidden ? [] : [[name, row[i]]])),
        ) as Row,
    );
  }
}

/** The same rows, and in the same order if there is one. */
function expectRows(cache: LiveCache, model: Model, isOrdered: boolean): void {
  const [actual, expected] = [cache.rows, model.answer()];
  expect(actual).toHaveLength(expected.length);
  if (isOrdered) return expect(actual).toEqual(expected);
  const text = (row: Row): string =>
    JSON.stringify(row, (_, it: unknown) => (typeof it === "bigint" ? `${it}n` : it));
  expect(actual.map(text).sort()).toEqual(expected.map(text).sort());
}

function jsonOps({ description, ...delta }: FakeDelta): unknown {
  const { columns, key } = description;
  return {
    insert: delta.insert!.map((row) => row.map((it, i) => jsonOf(columns[i]!.type, it))),
    update: delta.update!.map(([values, set]) => ({
      key: values.map((it, i) => jsonOf(columns[key[i]!]!.type, it)),
      set: Object.fromEntries(
        Object.entries(set).map(([name, it]) => {
          return [name, jsonOf(columns.find((column) => column.name === name)!.type, it)];
        }),
      ),
    })),
    delete: delta.delete!.map((row) => row.map((it, i) => jsonOf(columns[key[i]!]!.type, it))),
  };
}

describe("a live cache", () => {
  it("folds deltas to what a fresh answer has, and tells exactly what changed", () => {
    fc.assert(
      fc.property(history, ({ description, transactions, encoding }) => {
        const shape = new ResultShape(description);
        const cache = new LiveCache(shape);
        const model = new Model(description);
        transactions.forEach((transaction, i) => {
          const before = cache.rows;
          const delta = model.step(transaction);
          const ops =
            encoding === "packed"
              ? shape.readOps(packOps(delta))
              : new JsonCodec().ops(shape, jsonOps(delta));
          const changes = cache.apply(ops, i + 1);
          expectRows(cache, model, description.order.length > 0);
          expectChanges(before, cache.rows, changes);
        });
        const entries = shape.readRows(
          packAll(description.columns.map(({ type }) => type), [...model.rows.values()]),
        );
        const before = cache.rows;
        expect(isEmpty(cache.replace(shape, entries, 99))).toBe(true);
        expect(cache.rows).toBe(before);
      }),
      { numRuns: 400 },
    );
  });

  it("is replaced as a whole, and rows that are equal stay the same objects", () => {
    fc.assert(
      fc.property(history, ({ description, transactions }) => {
        const shape = new ResultShape(description);
        const types = description.columns.map(({ type }) => type);
        const cache = new LiveCache(shape);
        const model = new Model(description);
        transactions.forEach((transaction, i) => {
          model.step(transaction);
          const other = new LiveCache(new ResultShape(description));
          const packed = packAll(types, [...model.rows.values()]);
          other.replace(other.shape, other.shape.readRows(packed), 1);
          const difference = other.differenceFrom(cache);
          const before = cache.rows;
          const again = shape.readRows(packed);
          const changes = cache.replace(new ResultShape(description), again, i);
          expect(difference).toEqual(changes);
          expectRows(cache, model, description.order.length > 0);
          expectChanges(before, cache.rows, changes);
        });
      }),
      { numRuns: 400 },
    );
  });

  /** The rows before with the changes are the rows now, object by object. */
  function expectChanges(before: readonly Row[], now: readonly Row[], changes: Changes): void {
    if (isEmpty(changes)) return expect(now).toBe(before);
    expect(now).not.toBe(before);
    const expected = new Set(before);
    for (const row of changes.deleted) expect(expected.delete(row)).toBe(true);
    for (const [old] of changes.updated) expect(expected.delete(old)).toBe(true);
    for (const row of changes.inserted) expected.add(row);
    for (const [, row] of changes.updated) expected.add(row);
    expect(new Set(now)).toEqual(expected);
    for (const row of now) expect(expected.has(row)).toBe(true);
  }

  const column = (name: string, type: Type): ResultColumn => ({ name, type, hidden: false });
  const plain: ResultDescription = {
    columns: [column("id", "u8"), column("name", "string")],
    key: [0],
    order: [],
  };

  it("refuses deltas that do not fit its rows", () => {
    const shape = new ResultShape(plain);
    const cache = new LiveCache(shape);
    const apply = (lsn: number, delta: Partial<FakeDelta>): Changes =>
      cache.apply(shape.readOps(packOps({ handle: 1, description: plain, ...delta })), lsn);
    apply(1, { insert: [[1, "a"]] });
    expect(() => apply(2, { insert: [[1, "b"]] })).toThrow(CacheMismatch);
    expect(() => apply(3, { delete: [[2]] })).toThrow(CacheMismatch);
    expect(() => apply(4, { update: [[[2], { name: "x" }]] })).toThrow("update of a row that is not");
    // A transaction that the rows have in them already is left out.
    expect(isEmpty(apply(4, { delete: [[1]] }))).toBe(true);
    expect(cache.rows).toEqual([{ id: 1, name: "a" }]);
    const twice = shape.readRows(packAll(["u8", "string"], [[1, "a"], [1, "b"]]));
    expect(() => cache.replace(shape, twice, 5)).toThrow("the same key");
  });

  it("starts over when the columns are others", () => {
    const shape = new ResultShape(plain);
    const cache = new LiveCache(shape);
    cache.replace(shape, [shape.entryOf([1, "a"])], 1);
    const old = cache.rows[0];
    const wider = { ...plain, columns: [...plain.columns, column("more", "bool")] };
    const next = new ResultShape(wider);
    const changes = cache.replace(next, [next.entryOf([1, "a", true])], 2);
    expect(changes).toEqual({
      inserted: [{ id: 1, name: "a", more: true }],
      updated: [],
      deleted: [old],
    });
  });

  it("refuses descriptions and operations that make no sense", () => {
    expect(() => new ResultShape({ ...plain, key: [2] })).toThrow("not there");
    expect(() => new ResultShape({ columns: [], key: [], order: [] })).toThrow("no columns");
    const other = column("id", "u7" as Type);
    expect(() => new ResultShape({ ...plain, columns: [other] })).toThrow("unknown type");
    expect(() => new ResultShape(plain).readOps(Uint8Array.of(9))).toThrow("unknown operation");
  });
});
