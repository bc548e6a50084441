/** A painter as a patch of their color with initials. */

import { initials } from "../logic/format";
import { patchStyle } from "../logic/board/palette";
import styles from "./avatar.module.css";

interface AvatarProps {
  name: string;
  color: number;
  size?: "small" | "medium";
}

export function Avatar({ name, color, size = "medium" }: AvatarProps) {
  return (
    <span
      className={styles["avatar"]}
      data-size={size}
      style={patchStyle(color)}
      aria-hidden="true"
    >
      {initials(name)}
    </span>
  );
}
