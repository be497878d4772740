// Adding documents: files dropped or chosen, sent one after the other, each with its progress and its outcome.

import { html, useEffect, useReducer, useRef, useState } from "./vendor/standalone.module.js";
import { followJob, sendFile } from "./client.js";
import { count } from "./words.js";

const ENDED = ["done", "failed", "cancelled"];

function reduce(files, { type, key, ...change }) {
  if (type === "added") return [...files, { key, phase: "waiting", ...change }];
  return files.map((file) => (file.key === key ? { ...file, ...change } : file));
}

/** What became of a file's documents, in words: `Searchable: 12 passages`, `Already here`, the first reason. */
export function outcomeOf(results) {
  const failed = results.filter((result) => result.status === "failed");
  const stored = results.filter((result) => ["added", "replaced"].includes(result.status));
  const unchanged = results.length - failed.length - stored.length;
  const passages = stored.reduce((sum, result) => sum + (result.passages || 0), 0);
  const documents = stored.length > 1 ? `${count(stored.length, "document")}, ` : "";
  const parts = [
    stored.length > 0 && `Searchable: ${documents}${count(passages, "passage")}`,
    unchanged > 0 && (results.length === 1 ? "Already here, unchanged" : `${unchanged} already here`),
    failed.length > 0 && `${failed.length > 1 ? `${failed.length} failed, the first: ` : ""}${failed[0].problem}`,
  ].filter(Boolean);
  return {
    phase: stored.length + unchanged > 0 ? "done" : "failed",
    words: parts.join("; ") || "Nothing was found in it",
  };
}

async function upload(file, collection, signal, change) {
  change({ phase: "sending", share: 0 });
  const job = await sendFile(
    file,
    collection,
    (share) => change({ phase: share < 1 ? "sending" : "reading", share }),
    signal,
  );
  const ended = await followJob(
    job,
    ({ progress }) => change({ phase: "reading", passages: progress.passages }),
    signal,
  );
  if (ended.status === "cancelled") throw new DOMException("Cancelled", "AbortError");
  return outcomeOf(
    ended.results?.length ? ended.results : [{ status: "failed", problem: ended.problem || "It failed." }],
  );
}

/** The files, with `add(files)` and `cancel(key)`; `onStored` runs after each that was stored. */
export function useUploads(collection, onStored) {
  const [files, dispatch] = useReducer(reduce, []);
  const queue = useRef({ tail: Promise.resolve(), controllers: new Map(), number: 0 }).current;
  const change = (key, what) => dispatch({ type: "changed", key, ...what });
  const send = async (key, file) => {
    const { signal } = queue.controllers.get(key);
    if (signal.aborted) return;
    try {
      const outcome = await upload(file, collection, signal, (what) => change(key, what));
      change(key, outcome);
      if (outcome.phase === "done") onStored();
    } catch (problem) {
      if (problem.name === "AbortError") change(key, { phase: "cancelled", words: "Cancelled" });
      else change(key, { phase: "failed", words: `${problem.title} ${problem.detail}` });
    }
  };
  const add = (chosen) =>
    [...chosen].forEach((file) => {
      const key = (queue.number += 1);
      queue.controllers.set(key, new AbortController());
      dispatch({ type: "added", key, name: file.name });
      queue.tail = queue.tail.then(() => send(key, file));
    });
  const cancel = (key) => {
    queue.controllers.get(key).abort();
    change(key, { phase: "cancelled", words: "Cancelled" });
  };
  return { files, add, cancel };
}

function stateInWords({ phase, share, passages, words }) {
  if (phase === "waiting") return "Waiting";
  if (phase === "sending") return `Sending, ${Math.round(share * 100)} %`;
  if (phase === "reading") return `Sent; reading it${passages ? `, ${count(passages, "passage")} so far` : ""}`;
  return words;
}

const Cancel = ({ name, onCancel }) =>
  html`<button type="button" class="quiet" aria-label=${`Cancel ${name}`} onClick=${onCancel}>Cancel</button>`;

function File({ file, onCancel }) {
  const under = !ENDED.includes(file.phase);
  const value = file.phase === "sending" ? { value: file.share } : file.phase === "waiting" ? { value: 0 } : {};
  return html`<li class=${`file ${file.phase}`}>
    <span class="file-name"><bdi>${file.name}</bdi></span>
    <span class="file-state">${stateInWords(file)}</span>
    ${under && html`<progress max="1" aria-label=${`Progress of ${file.name}`} ...${value}></progress>`}
    ${under && html`<${Cancel} name=${file.name} onCancel=${() => onCancel(file.key)} />`}
  </li>`;
}

/** What a screen reader hears of the files: the newest that ended. */
export function uploadAnnouncement(files) {
  const ended = files.filter(({ phase }) => ENDED.includes(phase)).at(-1);
  return ended ? `${ended.name}: ${ended.words}` : "";
}

/** Files dropped anywhere on the page go to `onFiles`; tells whether some are being dragged over it. */
export function useDrop(onFiles) {
  const [over, setOver] = useState(false);
  const latest = useRef(onFiles);
  latest.current = onFiles;
  useEffect(() => {
    const listen = (type, act) =>
      addEventListener(type, (event) => event.dataTransfer?.types.includes("Files") && act(event));
    listen("dragover", (event) => (event.preventDefault(), setOver(true)));
    listen("dragleave", (event) => event.relatedTarget || setOver(false));
    listen("drop", (event) => (event.preventDefault(), setOver(false), latest.current(event.dataTransfer.files)));
  }, []);
  return over;
}

/** The place to drop or choose files, and the list of those on their way. */
export function Upload({ files, over, onAdd, onCancel }) {
  const choose = (event) => {
    onAdd([...event.target.files]);
    event.target.value = ""; // so that the same file can be chosen again
  };
  return html`<section class="upload" id="upload" aria-label="Add documents">
    <div class=${over ? "drop over" : "drop"}>
      <label class="primary">
        Choose files<input type="file" multiple class="visually-hidden" onChange=${choose} />
      </label>
      <p class="muted">or drop them anywhere: text, Markdown, HTML, PDF, JSON, JSONL</p>
    </div>
    ${
      files.length > 0 &&
      html`<ul class="files">
        ${files.map((file) => html`<${File} key=${file.key} file=${file} onCancel=${onCancel} />`)}
      </ul>`
    }
  </section>`;
}
