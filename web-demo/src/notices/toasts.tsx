/** Short messages about what went wrong. */

import { createContext, useCallback, useContext, useEffect, useState, type ReactNode } from "react";
import { noticeOf, type Notice } from "../logic/notice";
import { Icon } from "../shell/icons";
import styles from "./toasts.module.css";

type Report = (error: unknown) => void;

interface Toast extends Notice {
  readonly id: number;
}

const TOASTS_MAX = 3;
const SHOWN_MS = 6500;

const ReportContext = createContext<Report | null>(null);

/** A function that tells the user about an error; the same one in every render. */
export function useReport(): Report {
  const report = useContext(ReportContext);
  if (!report) throw new Error("there is no ToastProvider above this component");
  return report;
}

let lastId = 0;

export function ToastProvider({ children }: { children: ReactNode }) {
  const [toasts, setToasts] = useState<readonly Toast[]>([]);
  const report = useCallback((error: unknown) => {
    const toast = { ...noticeOf(error), id: ++lastId };
    setToasts((toasts) => {
      // What is said again moves to the end, and is not said twice.
      const others = toasts.filter(({ title, text }) => title !== toast.title || text !== toast.text);
      return [...others, toast].slice(-TOASTS_MAX);
    });
  }, []);
  const close = useCallback((id: number) => {
    setToasts((toasts) => toasts.filter((toast) => toast.id !== id));
  }, []);
  return (
    <ReportContext value={report}>
      {children}
      <div className={styles["list"]} role="region" aria-label="Messages" aria-live="assertive">
        {toasts.map((toast) => (
          <ToastItem key={toast.id} toast={toast} onClose={close} />
        ))}
      </div>
    </ReportContext>
  );
}

function ToastItem({ toast, onClose }: { toast: Toast; onClose(id: number): void }) {
  const { id, kind, title, text, hint } = toast;
  useEffect(() => {
    const timer = setTimeout(() => onClose(id), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [id, onClose]);
  return (
    <div className={styles["toast"]} data-kind={kind} data-testid="toast">
      <div>
        <strong>{title}</strong>
        <p>{text}</p>
        {hint !== null && <p className={styles["hint"]}>{hint}</p>}
      </div>
      <button
        type="button"
        className="icon-button"
        aria-label="Close this message"
        onClick={() => onClose(id)}
      >
        <Icon name="close" size={16} />
      </button>
    </div>
  );
}
