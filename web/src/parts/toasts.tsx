import { createContext, useCallback, useContext, useState, type JSX, type ReactNode } from "react";
import { Icon } from "./icon";

type Tone = "good" | "bad";

interface Toast {
  id: number;
  tone: Tone;
  text: string;
}

type Say = (tone: Tone, text: string) => void;

const ToastContext = createContext<Say>(() => undefined);

/** Tells the person what came of an action. Messages stay until they are closed or five newer ones came. */
export function useSay(): Say {
  return useContext(ToastContext);
}

let lastId = 0;

export function Toasts({ children }: { children: ReactNode }): JSX.Element {
  const [toasts, setToasts] = useState<Toast[]>([]);
  const close = useCallback((id: number) => setToasts((all) => all.filter((t) => t.id !== id)), []);
  const say = useCallback<Say>(
    (tone, text) => {
      const id = ++lastId;
      setToasts((all) => [...all.slice(-4), { id, tone, text }]);
      if (tone === "good") setTimeout(() => close(id), 8000); // a refusal stays until it was read
    },
    [close],
  );
  return (
    <ToastContext value={say}>
      {children}
      <div className="toasts" role="status" aria-live="polite">
        {toasts.map((t) => (
          <div key={t.id} className={`toast toast-${t.tone}`}>
            <Icon name={t.tone === "good" ? "done" : "failures"} />
            <span>{t.text}</span>
            <button type="button" className="button button-bare" aria-label="Close this message" onClick={() => close(t.id)}>
              <Icon name="close" />
            </button>
          </div>
        ))}
      </div>
    </ToastContext>
  );
}
