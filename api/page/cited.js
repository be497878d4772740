// What is cited: a passage or a place with its document, its quote and the button that opens it.

import { html, useState } from "./vendor/standalone.module.js";
import { layersOf, marked, piecesOf } from "./marks.js";
import { dateInWords, nameOf, pageInWords } from "./words.js";

const Published = ({ date }) =>
  date ? html`<time datetime=${date}>${dateInWords(date)}</time>` : html`<span>undated</span>`;

/** Source, date and place in the document, in one line. */
export function About({ document, citation }) {
  const headings = citation?.heading_path || [];
  const path = headings[0] === document.title ? headings.slice(1) : headings; // the title is said already
  return html`<p class="about">
    ${document.source && html`<span class="source"><bdi>${document.source}</bdi></span>`}
    <${Published} date=${document.published} />
    ${path.length > 0 && html`<span class="path"><bdi>${path.join(" › ")}</bdi></span>`}
  </p>`;
}

/** A passage's text, cut to what matters unless it is shown `full` or all of it is asked for; print shows all of it. */
function Quote({ passage, full }) {
  const [whole, setWhole] = useState(full);
  const pieces = piecesOf(passage);
  const layers = layersOf(passage.citation, passage.highlights);
  const piece = ({ start, end, shown }) => {
    const text = marked(passage.text, layers, start, end);
    return shown ? text : html`<span class="rest" key=${start}><span>${text}</span></span>`;
  };
  return html`<blockquote dir="auto" class=${whole ? "" : "cut"}>${pieces.map(piece)}</blockquote>
    ${
      pieces.length > 1 &&
      html`<button type="button" class="quiet whole" aria-expanded=${String(whole)} onClick=${() => setWhole(!whole)}>
      ${whole ? "Show less" : "Show the whole passage"}
    </button>`
    }`;
}

/** The button that opens a cited place; `number` is that of its passage, null where that is not shown. */
export function Chip({ number, document, citation, onClick }) {
  const name = nameOf(document) + pageInWords(citation.page);
  const label = number === null ? `Source: ${name}` : `Source ${number}: ${name}`;
  return html`<button type="button" class="chip" aria-label=${label} onClick=${onClick}>
    ${number !== null && html`<span class="number">${number}</span>`}<span class="name"><bdi>${name}</bdi></span>
  </button>`;
}

function Passage({ passage, full, onOpen }) {
  const { rank, document, citation } = passage;
  return html`<li class="passage">
    <h3><${Chip} number=${rank} document=${document} citation=${citation} onClick=${() => onOpen(passage)} /></h3>
    <${About} document=${document} citation=${citation} />
    <${Quote} passage=${passage} full=${full} />
  </li>`;
}

/** Passages in their order; `full` shows long ones without a cut. */
export const Passages = ({ passages, full = false, onOpen }) =>
  html`<ol class="passages">
    ${passages.map(
      (passage) => html`<${Passage} key=${passage.id} passage=${passage} full=${full} onOpen=${onOpen} />`,
    )}
  </ol>`;

/** What the marks in passages mean; `exact` where words that answer are among them. */
export const Legend = ({ exact }) => html`<p class="legend">
  ${exact && html`<span class="sample answer">Strongly marked</span>: the words that answer.${" "}`}
  <span class="sample sentence">Shaded</span>: the sentences that fit the question best.${" "}
  <span class="sample term">Underlined</span>: its words.
</p>`;
