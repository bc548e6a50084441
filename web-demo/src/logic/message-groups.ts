/** Messages that one author sent one after the other, shown under one name. */

import type { Message } from "../board.generated";

export interface MessageGroup {
  readonly author: string;
  readonly name: string;
  readonly messages: readonly [Message, ...Message[]];
}

/** A longer silence starts a new group, in microseconds. */
const SILENCE = 5n * 60n * 1_000_000n;

export function groupMessages(messages: readonly Message[]): MessageGroup[] {
  const groups: MessageGroup[] = [];
  for (const message of messages) {
    const { author, name } = message;
    const group = groups.at(-1);
    const last = group?.messages.at(-1);
    const belongs =
      group?.author === author && group.name === name && message.sent_at - last!.sent_at < SILENCE;
    if (belongs) groups.splice(-1, 1, { ...group, messages: [...group.messages, message] });
    else groups.push({ author, name, messages: [message] });
  }
  return groups;
}
