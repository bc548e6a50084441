/** Bytes that grow as they are written, at the end. */
export class GrowingBytes {
  protected data = new Uint8Array(128);
  /** Over `data`; like it, another one after {@link room}. */
  protected view = new DataView(this.data.buffer);
  private length = 0;

  /** What was written; a view, not a copy. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.data.subarray(0, this.length);
  }

  u8(value: number): void {
    const at = this.room(1);
    this.data[at] = value;
  }

  raw(bytes: Uint8Array): void {
    const at = this.room(bytes.length);
    this.data.set(bytes, at);
  }

  /** Makes room for `length` bytes and returns where they start. Call it before you look at `data`. */
  protected room(length: number): number {
    const start = this.length;
    this.length = start + length;
    if (this.length > this.data.length) {
      const grown = new Uint8Array(Math.max(this.length, this.data.length * 2));
      grown.set(this.data);
      this.data = grown;
      this.view = new DataView(grown.buffer);
    }
    return start;
  }
}
