// Where a question is typed, and what stands there before the first one: examples, an invitation, or a problem.

import { html, useEffect, useLayoutEffect, useRef, useState } from "./vendor/standalone.module.js";
import { ago, count } from "./words.js";

const ROWS = 6;

/** `/` goes to the ask box, but types a slash where something is being typed. */
export function useSlash() {
  useEffect(() => {
    const onKey = (event) => {
      const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
      if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
      if (document.querySelector("dialog:modal")) return;
      event.preventDefault();
      document.getElementById("query").focus();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
}

/** The ask box: Enter asks, Shift+Enter begins a new line. It is emptied once a question has gone. */
export function AskBox({ onAsk, followUp }) {
  const [text, setText] = useState("");
  const box = useRef(null);
  useLayoutEffect(() => {
    const { current } = box;
    for (current.rows = 1; current.rows < ROWS && current.scrollHeight > current.clientHeight;) current.rows += 1;
  }, [text]);
  const submit = (event) => {
    event.preventDefault();
    if (!text.trim()) return;
    onAsk(text.trim());
    setText("");
  };
  const onKey = (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) submit(event);
  };
  return html`<form class="ask" role="search" onSubmit=${submit}>
    <label for="query" class="visually-hidden">Your question</label>
    <textarea id="query" ref=${box} dir="auto" rows="1" autocomplete="off" enterkeyhint="search" value=${text}
      placeholder=${followUp ? "Ask a follow-up question" : "Ask your documents"} autofocus=${!followUp}
      onInput=${(event) => setText(event.target.value)} onKeyDown=${onKey}></textarea>
    <button type="submit" class="primary">Ask</button>
  </form>`;
}

/** The collection that is asked; nothing to choose where there is one. */
export function CollectionChoice({ names, name, onChange }) {
  if (names.length < 2) return null;
  return html`<label class="collection"><span>Collection</span>
    <select value=${name} onChange=${(event) => onChange(event.target.value)}>
      ${names.map((one) => html`<option key=${one} value=${one}>${one}</option>`)}
    </select>
  </label>`;
}

function Examples({ examples, onAsk }) {
  if (!examples.length) return null;
  return html`<h2>For example</h2>
    <ul class="examples">
      ${examples.map(
        (example) => html`<li key=${example}>
          <button type="button" dir="auto" onClick=${() => onAsk(example)}>${example}</button>
        </li>`,
      )}
    </ul>`;
}

/** What the page shows before the first question. */
export function Empty({ info, problem, onAsk, onRetry }) {
  if (problem)
    return html`<div class="notice bad" role="alert">
      <p><strong>${problem.title}</strong> ${problem.detail}</p>
      <button type="button" onClick=${onRetry}>Try again</button>
    </div>`;
  if (!info) return html`<div class="empty"></div>`;
  if (!info.documents)
    return html`<div class="empty">
      <h2>Nothing to ask yet</h2>
      <p>Add some documents. Every answer will be a passage of theirs, cited to the character.</p>
    </div>`;
  return html`<div class="empty">
    <p class="facts">${count(info.documents, "document")}${info.updated && `, last changed ${ago(info.updated)}`}</p>
    <${Examples} examples=${info.examples} onAsk=${onAsk} />
  </div>`;
}
