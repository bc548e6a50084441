/** Reads the scripts of tests/corpus; docs/corpus.md is about their format. */

export interface Script {
  module: string;
  needsSocket: boolean;
  needsRestart: boolean;
  steps: Step[];
}

export interface Step {
  line: number;
  action: Action;
  expected: Expected[];
}

export type Action =
  | { type: "connect"; who: string; admin: boolean; unconfirmed: boolean; like: string | null }
  | { type: "disconnect"; who: string }
  | { type: "call"; who: string; reducer: string; args: unknown }
  | { type: "subscribe"; who: string; subscription: string; sql: string; params: Json }
  | { type: "set"; who: string; subscription: string; params: Json }
  | { type: "unsubscribe"; who: string; subscription: string }
  | { type: "query"; who: string; sql: string; params: Json }
  | { type: "look"; subscription: string }
  | { type: "publish"; module: string }
  | { type: "restart" }
  /** A bare frame, which a client library does not send. */
  | { type: "send" };

export type Expected =
  | { type: "value"; value: unknown }
  | { type: "error"; code: string; part: string }
  | { type: "rows"; rows: unknown[] }
  | { type: "change"; change: unknown[] }
  | { type: "nothing" }
  | { type: "closed" };

export type Json = Record<string, unknown>;

export function parseScript(text: string): Script {
  const lines = joined(text);
  const head = lines.shift()?.text ?? "";
  if (!head.startsWith("module ")) throw new Error("a script begins with `module NAME`");
  const needs = new Set<string>();
  while (lines[0]?.text.startsWith("needs ")) needs.add(lines.shift()?.text ?? "");
  const steps: Step[] = [];
  for (const { line, text } of lines) {
    try {
      if (text.startsWith("  ")) steps.at(-1)?.expected.push(expectation(text.trim()));
      else steps.push({ line, ...action(text) });
    } catch (error) {
      throw new Error(`line ${line}: ${String(error)}`, { cause: error });
    }
  }
  return {
    module: head.slice("module ".length).trim(),
    needsSocket: needs.has("needs socket"),
    needsRestart: needs.has("needs restart"),
    steps,
  };
}

/** Lines without comments; what is indented by four spaces or more continues the line before it. */
function joined(text: string): { line: number; text: string }[] {
  const lines: { line: number; text: string }[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    const trimmed = line.trim();
    if (trimmed === "" || trimmed === "#" || trimmed.startsWith("# ")) continue;
    const last = lines.at(-1);
    if (line.startsWith("    ") && last) last.text += ` ${trimmed}`;
    else lines.push({ line: index + 1, text: line.trimEnd() });
  }
  return lines;
}

function word(text: string): [string, string] {
  const at = text.indexOf(" ");
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at).trim()];
}

function action(text: string): { action: Action; expected: Expected[] } {
  const [first, rest] = word(text);
  if (first === "connect") return { action: connect(rest), expected: [] };
  if (first === "restart") return { action: { type: "restart" }, expected: [] };
  if (first === "publish") return { action: { type: "publish", module: rest }, expected: [] };
  const [verb, more] = word(rest);
  const look: Action = { type: "look", subscription: first };
  if (verb === "") return { action: look, expected: [] };
  if (verb === "none") return { action: look, expected: [{ type: "nothing" }] };
  return { action: clientAction(first, verb, more), expected: [] };
}

function clientAction(who: string, verb: string, rest: string): Action {
  const [name, more] = word(rest);
  switch (verb) {
    case "disconnect":
      return { type: "disconnect", who };
    case "call":
      return { type: "call", who, reducer: name, args: more === "" ? [] : JSON.parse(more) };
    case "subscribe":
      return { type: "subscribe", who, subscription: name, ...query(more) };
    case "set":
      return { type: "set", who, subscription: name, params: JSON.parse(more) as Json };
    case "unsubscribe":
      return { type: "unsubscribe", who, subscription: rest };
    case "query":
      return { type: "query", who, ...query(rest) };
    case "send":
      return { type: "send" };
    default:
      throw new Error(`no action ${verb}`);
  }
}

function connect(text: string): Action {
  const [who = "", ...options] = text.split(" ");
  const like = options.indexOf("like");
  return {
    type: "connect",
    who,
    admin: options.includes("admin"),
    unconfirmed: options.includes("unconfirmed"),
    like: like < 0 ? null : (options[like + 1] ?? null),
  };
}

function query(text: string): { sql: string; params: Json } {
  const at = text.indexOf(" WITH {");
  if (at < 0) return { sql: text, params: {} };
  return { sql: text.slice(0, at), params: JSON.parse(text.slice(at + " WITH ".length)) as Json };
}

function expectation(text: string): Expected {
  const [first, rest] = word(text);
  switch (first) {
    case "ok":
      return { type: "value", value: rest === "" ? null : JSON.parse(rest) };
    case "error": {
      const [code, part] = word(rest);
      return { type: "error", code, part };
    }
    case "rows":
      return { type: "rows", rows: JSON.parse(rest) as unknown[] };
    case "+":
    case "-":
    case "~":
      return { type: "change", change: [first, JSON.parse(rest)] };
    case "none":
      return { type: "nothing" };
    case "closed":
      return { type: "closed" };
    default:
      throw new Error(`expects ${first}, which nothing gives`);
  }
}
