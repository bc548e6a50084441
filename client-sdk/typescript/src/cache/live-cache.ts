/**
 * The rows of one live result, kept current by operations.
 *
 * Invariants: `rows` is the same array until something changes, and an unchanged row is the same object
 * in it; a result with an order is sorted by it, one without keeps the order of arrival.
 */

import { isEqual } from "../values/compare.js";
import type { Entry, Key, Op, ResultShape, Row } from "./shape.js";

/** What one transaction, or one new first answer, changed. */
export interface Changes<R = Row> {
  readonly inserted: readonly R[];
  readonly updated: readonly (readonly [old: R, now: R])[];
  readonly deleted: readonly R[];
}

interface ChangeList extends Changes {
  inserted: Row[];
  updated: [Row, Row][];
  deleted: Row[];
}

/** The server's operations do not fit the rows that are here: a bug of one of the two. */
export class CacheMismatch extends Error {}

export class LiveCache {
  shape: ResultShape;
  /** The rows are as of this transaction. */
  lsn = 0;
  private readonly entries = new Map<Key, Entry>();
  /** All entries in order, if the result has one. */
  private sorted: Entry[] = [];
  private view: readonly Row[] | undefined;

  constructor(shape: ResultShape) {
    this.shape = shape;
  }

  /** The rows as an array that stays the same until they change. */
  get rows(): readonly Row[] {
    return (this.view ??= Array.from(
      this.shape.compare ? this.sorted : this.entries.values(),
      (entry) => entry.row,
    ));
  }

  /** All entries, in no particular order. */
  all(): Entry[] {
    return [...this.entries.values()];
  }

  /**
   * Applies the delta of a transaction, unless the rows are as of a later one already. Throws
   * {@link CacheMismatch} if it does not fit the rows.
   */
  apply(ops: readonly Op[], lsn: number): Changes {
    if (lsn > this.lsn) return this.move(ops, lsn);
    return { inserted: [], updated: [], deleted: [] };
  }

  /** Applies operations that lead from the rows of some parameters to those of others. */
  move(ops: readonly Op[], lsn: number): Changes {
    const changes: ChangeList = { inserted: [], updated: [], deleted: [] };
    this.lsn = lsn;
    for (const op of ops) {
      const old = this.entries.get(op.op === "insert" ? op.entry.key : op.key);
      if ((old === undefined) !== (op.op === "insert")) {
        throw new CacheMismatch(`${op.op} of a row that is ${old ? "here" : "not here"}`);
      }
      if (op.op === "insert") this.put(undefined, op.entry, changes);
      else if (op.op === "update") this.put(old, this.shape.update(old!, op.values), changes);
      else this.remove(old!, changes);
    }
    return this.finish(changes);
  }

  /** The same rows, to go on from on their own. */
  copy(): LiveCache {
    const copy = new LiveCache(this.shape);
    copy.lsn = this.lsn;
    for (const [key, entry] of this.entries) copy.entries.set(key, entry);
    copy.sorted = [...this.sorted];
    return copy;
  }

  /** Puts other rows in place of these and returns the difference. Equal rows stay as they are. */
  replace(shape: ResultShape, next: readonly Entry[], lsn: number): Changes {
    const changes: ChangeList = { inserted: [], updated: [], deleted: [] };
    this.lsn = lsn;
    if (!isSameShape(shape, this.shape)) {
      changes.deleted.push(...this.rows);
      this.entries.clear();
    }
    this.shape = shape;
    this.sorted = [];
    const keys = new Set(next.map((entry) => entry.key));
    if (keys.size !== next.length) throw new CacheMismatch("two rows have the same key");
    for (const old of this.entries.values()) {
      if (keys.has(old.key)) continue;
      this.entries.delete(old.key);
      changes.deleted.push(old.row);
    }
    for (const entry of next) {
      const old = this.entries.get(entry.key);
      if (old && isEqualEntry(old, entry)) continue;
      this.entries.set(entry.key, entry);
      if (old) changes.updated.push([old.row, entry.row]);
      else changes.inserted.push(entry.row);
    }
    if (shape.compare) this.sorted = [...this.entries.values()].sort(shape.compare);
    return this.finish(changes);
  }

  /** What changes for someone who has seen `before` and now sees this. */
  differenceFrom(before: LiveCache | undefined): Changes {
    const changes: ChangeList = { inserted: [], updated: [], deleted: [] };
    const known = before && isSameShape(before.shape, this.shape) ? before.entries : undefined;
    for (const old of before?.entries.values() ?? []) {
      if (!known || !this.entries.has(old.key)) changes.deleted.push(old.row);
    }
    for (const entry of this.entries.values()) {
      const old = known?.get(entry.key);
      if (!old) changes.inserted.push(entry.row);
      else if (!isEqualEntry(old, entry)) changes.updated.push([old.row, entry.row]);
    }
    return changes;
  }

  private put(old: Entry | undefined, now: Entry, changes: ChangeList): void {
    const { compare } = this.shape;
    this.entries.set(now.key, now);
    const isMoved = compare !== undefined && (!old || compare(old, now) !== 0);
    if (compare && !isMoved) this.sorted[this.positionOf(now)] = now;
    else if (compare) {
      if (old) this.sorted.splice(this.positionOf(old), 1);
      this.sorted.splice(this.positionOf(now), 0, now);
    }
    if (!old) changes.inserted.push(now.row);
    else if (isMoved || old.row !== now.row) changes.updated.push([old.row, now.row]);
  }

  private remove(old: Entry, changes: ChangeList): void {
    this.entries.delete(old.key);
    if (this.shape.compare) this.sorted.splice(this.positionOf(old), 1);
    changes.deleted.push(old.row);
  }

  /** Where the entry is, or belongs, in the order. */
  private positionOf(entry: Entry): number {
    const compare = this.shape.compare!;
    let low = 0;
    let high = this.sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compare(this.sorted[middle]!, entry) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private finish(changes: ChangeList): Changes {
    if (!isEmpty(changes)) this.view = undefined;
    return changes;
  }
}

/** Whether nothing changed. */
export function isEmpty({ inserted, updated, deleted }: Changes): boolean {
  return inserted.length + updated.length + deleted.length === 0;
}

function isEqualEntry(a: Entry, b: Entry): boolean {
  return isEqual(a.row, b.row) && isEqual(a.hidden, b.hidden);
}

function isSameShape(a: ResultShape, b: ResultShape): boolean {
  return a === b || JSON.stringify(a.description) === JSON.stringify(b.description);
}
