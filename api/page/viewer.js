// The document viewer: a document's stored text with a span marked, beside the page or, on a narrow screen, over it.

import { html, useEffect, useLayoutEffect, useRef, useState } from "./vendor/standalone.module.js";
import { About } from "./cited.js";
import { Problem, getJson } from "./client.js";
import { layersOf, marked, utf16At } from "./marks.js";
import { count, nameOf, pageInWords, webLink } from "./words.js";

// Code points fetched on each side of the span: a long document is opened as quickly as a short one.
const REACH = 20_000;
const LONGEST = 200_000; // of a span that an address asks for

const WIDE = matchMedia("(min-width: 768px)");

/** What to open, from a cited passage. Offsets count code points. */
export function targetOfPassage(passage) {
  const { citation, highlights, document } = passage;
  const { collection, document_id: id, start_char: start, end_char: end, document_sha256: sha256 } = citation;
  return { collection, id, start, end, sha256, citation, highlights, title: document.title };
}

const pathOf = ({ id }) => `/v1/documents/${encodeURIComponent(id)}`;

async function fetchText(target, start, end, signal) {
  return getJson(`${pathOf(target)}/text`, { collection: target.collection, start, end }, signal);
}

async function fetchDocument(target, signal) {
  const info = await getJson(pathOf(target), { collection: target.collection }, signal);
  const from = Math.max(0, Math.min(target.start ?? 0, info.characters) - REACH);
  const until = Math.min(target.end ?? 0, (target.start ?? 0) + LONGEST);
  const to = Math.min(info.characters, Math.max(from, until) + REACH);
  return { info, piece: await fetchText(target, from, to, signal) };
}

/** The piece with what comes `before` or `after` it. */
async function fetchMore(target, { info, piece }, where) {
  const before = where === "before";
  const from = before ? Math.max(0, piece.start_char - REACH) : piece.end_char;
  const to = before ? piece.start_char : Math.min(info.characters, piece.end_char + REACH);
  const more = await fetchText(target, from, to);
  if (more.document_sha256 !== piece.document_sha256)
    throw new Problem("changed", "The document has just changed.", { detail: "Close it and open it again." });
  const [first, second] = before ? [more, piece] : [piece, more];
  return { ...piece, text: first.text + second.text, start_char: first.start_char, end_char: second.end_char };
}

/** The document and the piece of its text that is shown, with `extend` to fetch what comes before or after it. */
function useDocument(target) {
  const [loaded, setLoaded] = useState({ state: "loading" });
  const failed = (problem) => problem.name === "AbortError" || setLoaded({ state: "failed", problem });
  useEffect(() => {
    const controller = new AbortController();
    setLoaded({ state: "loading" });
    fetchDocument(target, controller.signal).then((found) => setLoaded({ state: "ready", ...found }), failed);
    return () => controller.abort();
  }, [target]);
  const extend = (where) => fetchMore(target, loaded, where).then((piece) => setLoaded({ ...loaded, piece }), failed);
  return [loaded, extend];
}

/** Opens the <dialog>: modal only where it covers the page. Escape closes it from anywhere. */
function useDialog(onClose) {
  const dialog = useRef(null);
  useEffect(() => {
    const open = () => {
      dialog.current.close();
      if (WIDE.matches) dialog.current.show();
      else dialog.current.showModal();
    };
    open();
    WIDE.addEventListener("change", open);
    return () => WIDE.removeEventListener("change", open);
  }, []);
  useEffect(() => {
    const onKey = (event) => event.key === "Escape" && (event.preventDefault(), onClose());
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [onClose]);
  return dialog;
}

/** The layers of marks in the piece: the cited span, and in it what the passage highlights. */
function layersIn(piece, target) {
  if (target.start === null || target.start >= piece.end_char) return [];
  const start = utf16At(piece.text, target.start - piece.start_char);
  const end = utf16At(piece.text, target.end - piece.start_char);
  const inner = target.citation ? layersOf(target.citation, target.highlights, start) : [];
  return [{ kind: "cited", spans: [{ start, end }] }, ...inner];
}

/** Scrolls what is worth reading into view, unless all of it is seen already. */
function bringIntoView(mark) {
  const place = mark.getBoundingClientRect();
  const frame = mark.closest(".viewer-body").getBoundingClientRect();
  if (place.top < frame.top || place.bottom > frame.bottom) mark.scrollIntoView({ block: "center" });
}

/** Brings the mark into view and the focus to it, once for each target. */
function useArrival(box, target) {
  useLayoutEffect(() => {
    const mark = box.current.querySelector("mark");
    if (!mark) return;
    bringIntoView(box.current.querySelector("mark.answer") || box.current.querySelector("mark.sentence") || mark);
    mark.tabIndex = -1; // so that a screen reader goes on reading from here
    mark.focus({ preventScroll: true });
  }, [target]);
}

/** Keeps what is being read where it is when text comes in above it. */
function useSteadyScroll(box, start) {
  const before = useRef({ start, height: 0 });
  useLayoutEffect(() => {
    const scroller = box.current.closest(".viewer-body");
    if (start < before.current.start) scroller.scrollTop += scroller.scrollHeight - before.current.height;
    before.current = { start, height: scroller.scrollHeight };
  });
}

const More = ({ name, onClick }) => html`<button type="button" class="more" onClick=${onClick}>${name}</button>`;

function Text({ piece, target, stale, extend, total }) {
  const box = useRef(null);
  useSteadyScroll(box, piece.start_char);
  useArrival(box, target);
  return html`<div class="document-text" ref=${box}>
    ${piece.start_char > 0 && html`<${More} name="Earlier text" onClick=${() => extend("before")} />`}
    <div class="prose" dir="auto">${marked(piece.text, stale ? [] : layersIn(piece, target))}</div>
    ${piece.end_char < total && html`<${More} name="Later text" onClick=${() => extend("after")} />`}
  </div>`;
}

function Facts({ info, target }) {
  const original = `${pathOf(target)}/original?collection=${encodeURIComponent(target.collection)}`;
  const web = webLink(info.uri);
  return html`<${About} document=${info} citation=${target.citation} />
    <p class="about">
      ${target.citation?.page && html`<span>${pageInWords(target.citation.page).slice(2)}</span>`}
      <span>${count(info.characters, "character")}</span>
      <a href=${original} download=${nameOf({ id: info.id })}>Original file</a>
      ${web && html`<a href=${web} target="_blank" rel="noopener noreferrer">On the web</a>`}
    </p>`;
}

function Content({ loaded, extend, target }) {
  if (loaded.state === "loading") return html`<p class="muted wait">Opening…</p>`;
  if (loaded.state === "failed")
    return html`<p class="notice bad" role="alert">
      <strong>${loaded.problem.title}</strong> ${loaded.problem.detail}
    </p>`;
  const { info, piece } = loaded;
  const stale = Boolean(target.sha256) && piece.document_sha256 !== target.sha256;
  const missing = target.start !== null && target.start >= info.characters;
  return html`<${Facts} info=${info} target=${target} />
    ${
      (stale || missing) &&
      html`<p class="notice" role="alert">The document has changed since this was cited; the place is not marked.</p>`
    }
    <${Text} piece=${piece} target=${target} stale=${stale} extend=${extend} total=${info.characters} />`;
}

/** The viewer of `target`; `onClose` is called for its button and for Escape. */
export function Viewer({ target, onClose }) {
  const dialog = useDialog(onClose);
  const [loaded, extend] = useDocument(target);
  const cancel = (event) => {
    event.preventDefault();
    onClose();
  };
  return html`<dialog class="viewer" ref=${dialog} aria-labelledby="viewer-title" onCancel=${cancel}>
    <div class="viewer-head">
      <h2 id="viewer-title"><bdi>${loaded.info ? nameOf(loaded.info) : nameOf(target)}</bdi></h2>
      <button type="button" class="close" aria-label="Close the document" onClick=${onClose}>×</button>
    </div>
    <div class="viewer-body" tabindex="0" role="region" aria-label="Text of the document">
      <${Content} loaded=${loaded} extend=${extend} target=${target} />
    </div>
  </dialog>`;
}
