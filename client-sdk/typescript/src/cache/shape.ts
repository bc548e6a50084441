/**
 * A result description, compiled: how to read its rows and operations, name them and sort them.
 *
 * The key of a row is the value itself where a Map compares that by value (one column of a number,
 * bigint, string or boolean), and otherwise the packed key as a string of one character a byte.
 */

import { compileCompare } from "../values/compare.js";
import { compileReader, Cursor, type Reader } from "../values/read.js";
import { toBinaryString } from "../values/text.js";
import type { ResultDescription, Type } from "../values/types.js";
import { PackedBuffer, writeValue } from "../values/write.js";

/** A row as applications see it: the columns that are not hidden, by name. */
export type Row = Record<string, unknown>;

/** Names a row within its result; compared as Map keys are. */
export type Key = unknown;

/** A row with what the cache needs beside it. */
export interface Entry {
  readonly key: Key;
  readonly row: Row;
  /** Values of the hidden columns, in order. */
  readonly hidden: readonly unknown[];
}

/** One operation of a delta. */
export type Op =
  | { readonly op: "insert"; readonly entry: Entry }
  | { readonly op: "update"; readonly key: Key; readonly values: readonly ColumnValue[] }
  | { readonly op: "delete"; readonly key: Key };

export type ColumnValue = readonly [column: number, value: unknown];

const NONE: readonly unknown[] = [];

export class ResultShape {
  readonly description: ResultDescription;
  /** The order of the result, total; undefined if it has none. */
  readonly compare: ((a: Entry, b: Entry) => number) | undefined;
  private readonly readers: readonly Reader[];
  /** Name of a visible column, or position of a hidden one in {@link Entry.hidden}. */
  private readonly places: readonly (string | number)[];
  private readonly keyIsValue: boolean;
  private readonly hasHidden: boolean;

  constructor(description: ResultDescription) {
    const { columns, key, order } = description;
    if ([...key, ...order.map(({ column }) => column)].some((at) => !columns[at])) {
      throw new TypeError("the result description names a column that is not there");
    }
    let hiddenCount = 0;
    if (columns.length === 0) throw new TypeError("the result has no columns");
    this.description = description;
    this.readers = columns.map((column) => compileReader(column.type));
    this.places = columns.map((column) => (column.hidden ? hiddenCount++ : column.name));
    this.hasHidden = hiddenCount > 0;
    this.keyIsValue = key.length === 1 && comparesByValue(columns[key[0]!]!.type);
    this.compare = order.length > 0 ? this.compileOrder() : undefined;
  }

  /** Reads packed rows, one after the other. A row has at least one byte. */
  readRows(bytes: Uint8Array): Entry[] {
    const cursor = new Cursor(bytes);
    const entries: Entry[] = [];
    while (!cursor.isAtEnd) entries.push(this.readRow(cursor));
    return entries;
  }

  /** Reads the packed operations of a delta. */
  readOps(bytes: Uint8Array): Op[] {
    const cursor = new Cursor(bytes);
    const ops: Op[] = [];
    while (!cursor.isAtEnd) {
      const op = cursor.u8();
      if (op === 1) ops.push({ op: "insert", entry: this.readRow(cursor) });
      else if (op === 2) ops.push(this.readUpdate(cursor));
      else if (op === 3) ops.push({ op: "delete", key: this.readKey(cursor) });
      else throw new RangeError(`unknown operation ${op}`);
    }
    return ops;
  }

  /** An entry of the values of all columns, hidden ones too. */
  entryOf(values: readonly unknown[]): Entry {
    const row: Row = {};
    const hidden: unknown[] = [];
    this.places.forEach((place, column) => {
      if (typeof place === "string") row[place] = values[column];
      else hidden[place] = values[column];
    });
    return { key: this.keyOf(this.description.key.map((column) => values[column])), row, hidden };
  }

  /** The key of the values of the key columns. */
  keyOf(values: readonly unknown[]): Key {
    if (this.keyIsValue) return values[0];
    const out = new PackedBuffer();
    this.description.key.forEach((column, i) => {
      const { type, name } = this.description.columns[column]!;
      writeValue(type, values[i], name, out);
    });
    return toBinaryString(out.finish());
  }

  /**
   * The entry with new values in some columns, which are none of the key. The row is the same object if
   * they are all hidden.
   */
  update(old: Entry, values: readonly ColumnValue[]): Entry {
    const isVisible = ([column]: ColumnValue): boolean => typeof this.places[column] === "string";
    const row = values.some(isVisible) ? { ...old.row } : old.row;
    const hidden = this.hasHidden ? [...old.hidden] : NONE;
    for (const [column, value] of values) {
      const place = this.places[column]!;
      if (typeof place === "string") row[place] = value;
      else (hidden as unknown[])[place] = value;
    }
    return { key: old.key, row, hidden };
  }

  /** The value of any column. */
  valueOf(entry: Entry, column: number): unknown {
    const place = this.places[column]!;
    return typeof place === "string" ? entry.row[place] : entry.hidden[place];
  }

  private readRow(cursor: Cursor): Entry {
    const { readers, places } = this;
    const row: Row = {};
    const hidden = this.hasHidden ? [] : (NONE as unknown[]);
    const starts: number[] | undefined = this.keyIsValue ? undefined : [];
    for (let column = 0; column < readers.length; column++) {
      starts?.push(cursor.at);
      const value = readers[column]!(cursor);
      const place = places[column]!;
      if (typeof place === "string") row[place] = value;
      else hidden.push(value);
    }
    const entry = { key: undefined as Key, row, hidden };
    if (!starts) entry.key = this.valueOf(entry, this.description.key[0]!);
    else {
      starts.push(cursor.at);
      let key = "";
      for (const column of this.description.key) {
        key += toBinaryString(cursor.bytes.subarray(starts[column], starts[column + 1]));
      }
      entry.key = key;
    }
    return entry;
  }

  private readKey(cursor: Cursor): Key {
    const start = cursor.at;
    let value: unknown;
    for (const column of this.description.key) value = this.readers[column]!(cursor);
    return this.keyIsValue ? value : toBinaryString(cursor.bytes.subarray(start, cursor.at));
  }

  private readUpdate(cursor: Cursor): Op {
    const key = this.readKey(cursor);
    const mask = cursor.take(Math.ceil(this.readers.length / 8));
    const values: ColumnValue[] = [];
    for (let column = 0; column < this.readers.length; column++) {
      if ((mask[column >> 3]! >> (column & 7)) & 1) {
        values.push([column, this.readers[column]!(cursor)]);
      }
    }
    return { op: "update", key, values };
  }

  private compileOrder(): (a: Entry, b: Entry) => number {
    const { columns, key, order } = this.description;
    const steps = [...order, ...key.map((column) => ({ column, descending: false }))].map(
      ({ column, descending }) => ({
        column,
        sign: descending ? -1 : 1,
        compare: compileCompare(columns[column]!.type),
      }),
    );
    return (a, b) => {
      for (const { column, sign, compare } of steps) {
        const result = compare(this.valueOf(a, column), this.valueOf(b, column));
        if (result !== 0) return result * sign;
      }
      return 0;
    };
  }
}

/** Whether equal values of the type are the same key of a Map. */
function comparesByValue(type: Type): boolean {
  if (typeof type === "string") return type !== "bytes" && type !== "json";
  return "option" in type && comparesByValue(type.option);
}
