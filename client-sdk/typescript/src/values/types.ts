/**
 * The types that columns, parameters and results have, and the schema that names them: the JSON form
 * of the server's own definitions, as `Welcome` and `GET .../schema` carry it.
 */

export type ScalarType =
  | "bool"
  | "i8"
  | "i16"
  | "i32"
  | "i64"
  | "i128"
  | "u8"
  | "u16"
  | "u32"
  | "u64"
  | "u128"
  | "f32"
  | "f64"
  | "string"
  | "bytes"
  | "identity"
  | "connection_id"
  | "timestamp"
  | "duration"
  | "uuid"
  | "decimal"
  | "json";

export type Type =
  | ScalarType
  | { readonly option: Type }
  | { readonly list: Type }
  | { readonly struct: StructType }
  | { readonly enum: EnumType };

/** A field of a struct, a column of a table or a parameter of a reducer. */
export interface Field {
  readonly name: string;
  readonly type: Type;
}

export interface StructType {
  readonly name: string;
  readonly fields: readonly Field[];
}

/** A variant; its position in the enum is its packed tag. */
export interface Variant {
  readonly name: string;
  readonly type?: Type | null;
}

export interface EnumType {
  readonly name: string;
  readonly variants: readonly Variant[];
}

export interface TableDef {
  readonly name: string;
  readonly columns: readonly Field[];
  /** Positions of the key columns. */
  readonly primary_key: readonly number[];
  readonly indexes: readonly IndexDef[];
  readonly auto_increment: number | null;
  readonly public: boolean;
}

export interface IndexDef {
  readonly name: string;
  readonly columns: readonly number[];
  readonly kind: "hash" | "ordered" | "counted";
  readonly unique: boolean;
}

export interface ReducerDef {
  readonly name: string;
  readonly params: readonly Field[];
  readonly returns: Type | null;
  readonly kind: "call" | "init" | "connected" | "disconnected";
}

/** What the module of a database declares. */
export interface Schema {
  readonly tables: readonly TableDef[];
  readonly reducers: readonly ReducerDef[];
}

/** What the rows of a result are. */
export interface ResultDescription {
  /** In packed order. */
  readonly columns: readonly ResultColumn[];
  /** Positions of the columns whose values name a row. */
  readonly key: readonly number[];
  /** Order of the rows, before the key; empty if there is none. */
  readonly order: readonly OrderColumn[];
}

export interface ResultColumn extends Field {
  /** Travels only because the key or the order needs it. */
  readonly hidden: boolean;
}

export interface OrderColumn {
  readonly column: number;
  readonly descending: boolean;
}

/** The type as the server's messages print it, for example `option<u64>`. */
export function typeName(type: Type): string {
  if (typeof type === "string") return type;
  if ("option" in type) return `option<${typeName(type.option)}>`;
  if ("list" in type) return `list<${typeName(type.list)}>`;
  return "struct" in type ? type.struct.name : type.enum.name;
}
