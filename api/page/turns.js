// The question-and-answer turns: how one is asked, what state it is in, and how that is shown.

import { html, useReducer, useRef } from "./vendor/standalone.module.js";
import { Legend, Passages } from "./cited.js";
import { ask } from "./client.js";
import { Confidence, Exact } from "./exact.js";
import { filterForApi } from "./filters.js";
import { quoteInWords } from "./quote.js";
import { confidenceInWords, count, leftOut } from "./words.js";

const TURNS_REMEMBERED = 3; // as many as go along with a follow-up question
const WORDS_OF_AN_ANSWER = 500; // in characters: what a follow-up needs to know of the answer before it
const WORDS_HEARD = 300; // of a quote, in characters: the rest is on the page

const RELATED = "Related, but no sure answer";

function reduce(turns, { type, id, instead, ...change }) {
  if (type === "clear") return [];
  if (type === "asked")
    return [{ id, state: "asking", passages: [], ...change }, ...turns.filter((turn) => turn.id !== instead)];
  return turns.map((turn) => (turn.id === id ? { ...turn, ...change } : turn));
}

const saidIn = ({ quote, passages, reason }) => quote?.text || passages[0]?.text || reason?.text || "";

/** The turns that go along with a new question, oldest first; `turns` has the newest first. */
export function historyOf(turns) {
  const whole = turns
    .filter((turn) => turn.answer)
    .slice(0, TURNS_REMEMBERED)
    .reverse();
  return whole
    .flatMap(({ asked, answer }) => [
      { role: "user", content: asked.query },
      { role: "assistant", content: saidIn(answer).trim().slice(0, WORDS_OF_AN_ANSWER) },
    ])
    .filter(({ content }) => content);
}

async function run(question, signal, change) {
  try {
    for await (const { event, data } of ask(question, signal)) {
      if (event === "candidates") change({ state: "streaming", passages: data.passages || [] });
      else change({ state: data.outcome, answer: data, passages: data.passages });
    }
  } catch (problem) {
    if (problem.name === "AbortError") change({ state: "cancelled", passages: [] });
    else change({ state: "failed", problem, passages: [] });
  }
}

/** The turns, newest first, and what can be done: `ask` (in place of the turn `instead`), `cancel()`, `clear()`. */
export function useTurns() {
  const [turns, dispatch] = useReducer(reduce, []);
  const last = useRef({ id: 0, controller: new AbortController() });
  const cancel = () => last.current.controller.abort();
  const start = (asked, history, instead = null) => {
    cancel();
    const id = last.current.id + 1;
    last.current = { id, controller: new AbortController() };
    dispatch({ type: "asked", id, instead, asked, history });
    const filter = filterForApi(asked.filter);
    const { query, collection } = asked;
    const question = { query, collection, ...(filter && { filter }), ...(history.length && { history }) };
    return run(question, last.current.controller.signal, (change) => dispatch({ type: "changed", id, ...change }));
  };
  const clear = () => {
    cancel();
    dispatch({ type: "clear" });
  };
  return { turns, ask: start, cancel, clear };
}

const cut = (text, length) => (text.length > length ? `${text.slice(0, length).trimEnd()} …` : text);

function answeredInWords({ quote, answer, conflicts, confidence, passages }) {
  const told = [
    `Answered with ${count(passages.length, "passage")}.`,
    answer && `The answer: ${answer.text}.`,
    quote && `Quoted: “${cut(quoteInWords(quote), WORDS_HEARD)}”`,
    confidence !== null && `Confidence: ${confidenceInWords(confidence)}.`,
    conflicts.length > 0 && "Sources disagree.",
  ];
  return told.filter(Boolean).join(" ");
}

/** What a screen reader hears, once a turn has reached its end. */
export function announcement(turn) {
  if (!turn) return "";
  if (turn.state === "answered") return answeredInWords(turn.answer);
  if (turn.state === "related") return `${RELATED}. ${turn.answer.reason?.text || ""}`;
  if (turn.state === "absent") return `Not found. ${turn.answer.reason?.text || ""}`;
  if (turn.state === "failed") return `${turn.problem.title} ${turn.problem.detail}`;
  return turn.state === "cancelled" ? "Cancelled." : "";
}

function Failed({ problem, onRetry }) {
  const { title, detail, requestId, retryAfter } = problem;
  return html`<div class="notice bad">
    <p><strong>${title}</strong> ${detail}</p>
    ${retryAfter && html`<p>It asks to wait ${count(Number(retryAfter), "second")}.</p>`}
    ${requestId && html`<p class="muted">Request <code>${requestId}</code></p>`}
    <button type="button" onClick=${onRetry}>Try again</button>
  </div>`;
}

function Related({ answer: { reason, nearest, confidence }, onOpen }) {
  return html`<div class="finding">
      <h3 class="verdict">${RELATED}</h3>
      <p>${reason?.text}</p>
      <${Confidence} of=${confidence} />
    </div>
    ${
      nearest.length > 0 &&
      html`<section class="speaking" aria-label="Passages that speak of it">
      <h3>These passages speak of it; none says it surely</h3>
      <${Legend} exact=${false} />
      <${Passages} passages=${nearest} full onOpen=${onOpen} />
    </section>`
    }`;
}

/** Where nothing was found: in what the filter leaves, or in so many documents. */
function placeInWords(filter, documents) {
  if (filterForApi(filter)) return "in the documents that the filter leaves";
  return documents ? `in ${count(documents, "document")}` : "here";
}

function Absent({ answer: { reason, nearest, confidence }, where, onOpen }) {
  return html`<div class="finding">
      <p class="verdict"><strong>Not found ${where}.</strong> ${reason?.text}</p>
      <${Confidence} of=${confidence} />
    </div>
    ${
      nearest.length > 0 &&
      html`<details class="nearest">
      <summary>Closest passages <span class="muted">(${nearest.length}, not an answer)</span></summary>
      <${Passages} passages=${nearest} onOpen=${onOpen} />
    </details>`
    }`;
}

const Asking = ({ onCancel }) => html`<div class="asking">
  <div class="skeleton" aria-hidden="true"><span></span><span></span><span></span></div>
  <button type="button" class="quiet" onClick=${onCancel}>Cancel</button>
</div>`;

function Body({ turn, documents, onOpen, onCancel, onRetry }) {
  const retry = () => onRetry(turn);
  if (turn.state === "asking") return html`<${Asking} onCancel=${onCancel} />`;
  if (turn.state === "streaming")
    return html`<p class="label">First finds, not final yet</p>
      <${Passages} passages=${turn.passages} onOpen=${onOpen} />`;
  if (turn.state === "failed") return html`<${Failed} problem=${turn.problem} onRetry=${retry} />`;
  if (turn.state === "cancelled")
    return html`<div class="notice"><p>Cancelled.</p><button type="button" onClick=${retry}>Ask again</button></div>`;
  if (turn.state === "related") return html`<${Related} answer=${turn.answer} onOpen=${onOpen} />`;
  if (turn.state === "absent") {
    const where = placeInWords(turn.asked.filter, documents);
    return html`<${Absent} answer=${turn.answer} where=${where} onOpen=${onOpen} />`;
  }
  const exact = turn.passages.some(({ highlights }) => highlights.some(({ kind }) => kind === "answer"));
  return html`<${Exact} answer=${turn.answer} onOpen=${onOpen} />
    <${Legend} exact=${exact} /><${Passages} passages=${turn.passages} onOpen=${onOpen} />`;
}

/** What the answer says about itself: the question as it was understood, what was left out, warnings. */
function Remarks({ answer, onAlone }) {
  if (!answer) return null;
  const notes = [...answer.degraded.map(leftOut), ...(answer.warnings || [])];
  const understood = answer.standalone_query;
  return html`${
    understood &&
    html`<p class="understood">
      Understood as: <bdi>${understood}</bdi>
      <button type="button" class="quiet" onClick=${onAlone}>Ask it alone</button>
    </p>`
  }
    ${notes.length > 0 && html`<ul class="notice">${notes.map((note) => html`<li key=${note}>${note}</li>`)}</ul>`}`;
}

/** One turn as an article of the feed. `place` and `of` are its place from 1 and their number. */
export function Turn({ turn, place, of, ...rest }) {
  const busy = turn.state === "asking" || turn.state === "streaming";
  return html`<article class=${`turn ${turn.state}`} tabindex="-1" aria-labelledby=${`question-${turn.id}`}
    aria-posinset=${place} aria-setsize=${of} aria-busy=${String(busy)}>
    <h2 id=${`question-${turn.id}`} dir="auto">${turn.asked.query}</h2>
    <${Remarks} answer=${turn.answer} onAlone=${() => rest.onRetry({ ...turn, history: [] })} />
    <${Body} turn=${turn} ...${rest} />
  </article>`;
}
