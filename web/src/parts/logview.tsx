import { useEffect, useMemo, useRef, useState, type JSX } from "react";
import { jobPath } from "../api/client";
import { useLog } from "../live/followlog";
import { parseLogLine } from "../text/logline";
import { Empty, Loading } from "./empty";
import { Icon } from "./icon";
import { Marked } from "./marked";
import { Trouble } from "./trouble";

/** The log of a job. While the job runs, the end stays in sight until the reader scrolls up. */
export function LogView({ id, running }: { id: string; running: boolean }): JSX.Element {
  const log = useLog(id, running);
  const [words, setWords] = useState("");
  const box = useRef<HTMLPreElement>(null);
  const atEnd = useRef(true);
  const shown = useMemo(() => {
    const lines = log.lines.filter((line) => line !== "");
    const wanted = words.toLowerCase();
    return (wanted === "" ? lines : lines.filter((line) => line.toLowerCase().includes(wanted))).map(parseLogLine);
  }, [log.lines, words]);
  useEffect(() => {
    if (shown.length > 0 && atEnd.current) box.current?.scrollTo({ top: box.current.scrollHeight });
  }, [shown]);
  const onScroll = (): void => {
    const at = box.current;
    if (at) atEnd.current = at.scrollHeight - at.scrollTop - at.clientHeight < 24;
  };
  if (log.error) return <Trouble error={log.error} />;
  if (log.lines.length === 0) return running || log.following ? <Loading what="the log" /> : <Empty title="The log is empty." />;
  return (
    <div className="logview">
      <div className="row row-apart">
        <label className="search">
          <Icon name="search" />
          <span className="sr">Only lines with these words</span>
          <input type="search" placeholder="Only lines with …" value={words} onChange={(e) => setWords(e.target.value)} />
        </label>
        <span className="row">
          <span className="muted small">
            {shown.length} lines{log.following ? ", following" : ""}
          </span>
          <a className="button" href={jobPath(id, "/log")} download={`${id}.log`}>
            <Icon name="download" />
            Download
          </a>
        </span>
      </div>
      <pre ref={box} className="log" tabIndex={0} role="log" aria-label="Log of the job" onScroll={onScroll}>
        {shown.map((line, i) => (
          // Lines are only ever added: the place of a line is its name.
          // oxlint-disable-next-line react/no-array-index-key
          <span key={i} className={line.tone === "" ? "logline" : `logline logline-${line.tone}`}>
            <span className="log-time">{line.time}</span> <span className="log-stage">{line.stage.padEnd(8)}</span> <Marked text={line.text} words={words} />
            {"\n"}
          </span>
        ))}
      </pre>
    </div>
  );
}
