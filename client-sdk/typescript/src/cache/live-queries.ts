/**
 * All live results of a connection. Takes the messages that carry rows, keeps the caches and tells the
 * subscriptions, when a message has been applied in whole.
 *
 * An instance is what the server calls by one handle; subscriptions that the server gives the same
 * handle share it. When the connection goes, instances keep their rows and lose their handle. The first
 * answer on the next connection replaces the rows at once, so nobody sees them empty in between.
 */

import type { Instance, LiveSubscription } from "../subscription.js";
import type { WireCodec } from "../wire/codec.js";
import type { Commit, Handle, Moved, Payload, Reset, Snapshot } from "../wire/messages.js";
import { CacheMismatch, LiveCache, type Changes } from "./live-cache.js";
import { ResultShape, type Entry, type Op } from "./shape.js";

/** Rows whose last chunk has not come, and what transactions after them have changed. */
interface Pending {
  readonly handle: Handle;
  readonly lsn: number;
  readonly shape: ResultShape;
  readonly entries: Entry[];
  readonly later: (readonly [lsn: number, ops: Op[]])[];
}

export class LiveQueries {
  private readonly codec: WireCodec;
  private readonly instances = new Map<Handle, Instance>();
  /** By subscription (a Snapshot) or handle (a Reset). */
  private readonly pending = new Map<LiveSubscription | Handle, Pending>();

  constructor(codec: WireCodec) {
    this.codec = codec;
  }

  /** The connection is gone: handles mean nothing any more. */
  disconnect(): void {
    for (const instance of this.instances.values()) instance.handle = undefined;
    this.instances.clear();
    this.pending.clear();
  }

  snapshot(subscription: LiveSubscription, message: Snapshot): void {
    const pending = this.collect(subscription, message, message.description);
    if (!pending) return;
    const before = subscription.instance?.cache;
    const instance = this.instanceFor(subscription, pending);
    const isNew = instance.cache !== before;
    this.attach(subscription, instance);
    const changes = this.complete(instance, pending);
    for (const each of [...instance.subscriptions]) {
      const isOther = each === subscription && isNew;
      each.emitChanges(isOther ? instance.cache.differenceFrom(before) : changes);
    }
    subscription.settle();
  }

  /** Other parameters have brought the subscription to another instance. */
  moved(subscription: LiveSubscription, { handle, lsn, ops }: Moved): void {
    const before = subscription.instance;
    if (!before || this.pending.has(subscription)) {
      throw new CacheMismatch("other parameters before the first answer");
    }
    const known = this.instances.get(handle);
    this.attach(subscription, known ?? { ...before, handle, subscriptions: new Set() });
    const instance = subscription.instance!;
    this.instances.set(handle, instance);
    if (known) return subscription.emitChanges(known.cache.differenceFrom(before.cache));
    // Who stays behind keeps the rows.
    if (before.subscriptions.size > 0) instance.cache = before.cache.copy();
    const list = this.codec.ops(instance.cache.shape, ops);
    subscription.emitChanges(instance.cache.move(list, lsn));
  }

  reset(message: Reset): void {
    const instance = this.instances.get(message.handle);
    if (!instance) return;
    const pending = this.collect(message.handle, message, instance.cache.shape.description);
    if (!pending) return;
    const changes = this.complete(instance, pending);
    for (const each of [...instance.subscriptions]) each.emitChanges(changes);
  }

  commit(message: Commit): void {
    const changed: [Instance, Changes][] = [];
    for (const { handle, ops } of message.deltas) {
      const instance = this.instances.get(handle);
      const pending = [...this.pending.values()].filter(
        (each) => each.handle === handle && each.lsn < message.lsn,
      );
      // Nothing here: the server has not yet heard that the subscription is closed.
      const shape = instance?.cache.shape ?? pending[0]?.shape;
      if (!shape) continue;
      const list = this.codec.ops(shape, ops);
      for (const each of pending) each.later.push([message.lsn, list]);
      // Rows that a Reset replaces are out of date; its last chunk brings this delta too.
      if (!instance || this.pending.has(handle)) continue;
      changed.push([instance, instance.cache.apply(list, message.lsn)]);
    }
    for (const [{ subscriptions }, changes] of changed) {
      for (const each of [...subscriptions]) each.emitChanges(changes);
    }
  }

  /** The subscription is closed, here or by the server. */
  detach(subscription: LiveSubscription): void {
    this.pending.delete(subscription);
    if (subscription.instance) this.leave(subscription, subscription.instance);
  }

  private leave(subscription: LiveSubscription, instance: Instance): void {
    instance.subscriptions.delete(subscription);
    if (instance.subscriptions.size === 0 && instance.handle !== undefined) {
      this.instances.delete(instance.handle);
      instance.handle = undefined;
    }
  }

  /** Adds a chunk. Returns everything when it was the last one. */
  private collect(
    by: LiveSubscription | Handle,
    chunk: { handle: Handle; lsn: number; rows: Payload; last: boolean },
    description: Snapshot["description"],
  ): Pending | undefined {
    let pending = this.pending.get(by);
    if (!pending) {
      if (!description) throw new CacheMismatch("the first chunk has no description");
      const shape = new ResultShape(description);
      pending = { handle: chunk.handle, lsn: chunk.lsn, shape, entries: [], later: [] };
      this.pending.set(by, pending);
    }
    for (const entry of this.codec.rows(pending.shape, chunk.rows)) {
      pending.entries.push(entry);
    }
    if (!chunk.last) return undefined;
    this.pending.delete(by);
    return pending;
  }

  /** The instance of a handle: the live one, the subscription's own of before, or a new one. */
  private instanceFor(subscription: LiveSubscription, { handle, shape }: Pending): Instance {
    const live = this.instances.get(handle);
    if (live) return live;
    const stale = subscription.instance?.handle === undefined ? subscription.instance : undefined;
    // Rows that other parameters leave in place stay the same objects.
    const copy = (): LiveCache => subscription.instance?.cache.copy() ?? new LiveCache(shape);
    const instance = stale ?? { handle, cache: copy(), subscriptions: new Set() };
    instance.handle = handle;
    // Transactions of another connection do not count: the database may have been restored.
    instance.cache.lsn = 0;
    this.instances.set(handle, instance);
    return instance;
  }

  /** Puts complete rows in place of what was there, unless that is of a later transaction. */
  private complete({ cache }: Instance, { shape, lsn, entries, later }: Pending): Changes {
    const whole = new LiveCache(shape);
    if (later.length > 0) {
      whole.replace(shape, entries, lsn);
      for (const [lsn, ops] of later) whole.apply(ops, lsn);
    }
    const reached = later.at(-1)?.[0] ?? lsn;
    if (reached < cache.lsn) return { inserted: [], updated: [], deleted: [] };
    return cache.replace(shape, later.length > 0 ? whole.all() : entries, reached);
  }

  private attach(subscription: LiveSubscription, instance: Instance): void {
    const before = subscription.instance;
    if (before && before !== instance) this.leave(subscription, before);
    instance.subscriptions.add(subscription);
    subscription.instance = instance;
  }
}
