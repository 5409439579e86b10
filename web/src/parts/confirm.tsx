import { useEffect, useId, useRef, type JSX, type ReactNode } from "react";

interface ConfirmProps {
  title: string;
  /** The word on the button that does it. */
  verb: string;
  danger?: boolean;
  children: ReactNode;
  onDo: () => void;
  onClose: () => void;
}

/** Asks before something that cannot be taken back. The browser keeps the focus inside, and Escape closes. */
export function Confirm({ title, verb, danger, children, onDo, onClose }: ConfirmProps): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  return (
    <dialog ref={dialog} className="dialog" aria-labelledby={id} onClose={onClose}>
      <form
        method="dialog"
        onSubmit={(event) => {
          event.preventDefault();
          onDo();
          dialog.current?.close();
        }}
      >
        <h2 id={id}>{title}</h2>
        {children}
        <div className="row row-end">
          <button type="button" className="button" onClick={() => dialog.current?.close()}>
            Go back
          </button>
          <button type="submit" className={danger ? "button button-danger" : "button button-main"}>
            {verb}
          </button>
        </div>
      </form>
    </dialog>
  );
}
