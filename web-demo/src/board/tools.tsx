/** Paint or move, and zoom. */

import { Icon, type IconName } from "../shell/icons";
import type { Tool } from "../stage/gestures";
import styles from "./tools.module.css";
import type { ViewControl } from "../stage/use-view";

const ZOOM_STEP = 1.6;

interface ToolsProps {
  tool: Tool;
  onTool(tool: Tool): void;
  control: ViewControl;
}

export function Tools({ tool, onTool, control }: ToolsProps) {
  const isMoving = tool === "move";
  return (
    <div className={styles["tools"]} role="group" aria-label="View">
      <ToolButton
        icon={isMoving ? "hand" : "brush"}
        label={isMoving ? "Moving the view; switch to painting" : "Painting; switch to moving the view"}
        isPressed={isMoving}
        onClick={() => onTool(isMoving ? "paint" : "move")}
      />
      <ToolButton icon="plus" label="Zoom in" onClick={() => control.zoom(ZOOM_STEP)} />
      <ToolButton
        icon="minus"
        label="Zoom out"
        isDisabled={control.isFit}
        onClick={() => control.zoom(1 / ZOOM_STEP)}
      />
      <ToolButton
        icon="fit"
        label="Show the whole board"
        isDisabled={control.isFit}
        onClick={() => control.fit()}
      />
    </div>
  );
}

interface ToolButtonProps {
  icon: IconName;
  label: string;
  isPressed?: boolean;
  isDisabled?: boolean;
  onClick(): void;
}

function ToolButton({ icon, label, isPressed, isDisabled = false, onClick }: ToolButtonProps) {
  return (
    <button
      type="button"
      className="icon-button"
      aria-label={label}
      title={label}
      aria-pressed={isPressed}
      disabled={isDisabled}
      onClick={onClick}
    >
      <Icon name={icon} />
    </button>
  );
}
