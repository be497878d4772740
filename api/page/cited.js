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

/** A passage's quote, cut to what matters until all of it is asked for; print shows all of it. */
function Quote({ passage }) {
  const [whole, setWhole] = useState(false);
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

function Passage({ passage, onOpen }) {
  const { rank, document, citation } = passage;
  return html`<li class="passage">
    <h3><${Chip} number=${rank} document=${document} citation=${citation} onClick=${() => onOpen(passage)} /></h3>
    <${About} document=${document} citation=${citation} />
    <${Quote} passage=${passage} />
  </li>`;
}

/** Passages in their order. */
export const Passages = ({ passages, onOpen }) =>
  html`<ol class="passages">
    ${passages.map((passage) => html`<${Passage} key=${passage.id} passage=${passage} onOpen=${onOpen} />`)}
  </ol>`;

/** What the marks in passages mean; `exact` where words that answer are among them. */
export const Legend = ({ exact }) => html`<p class="legend">
  ${exact && html`<span class="sample answer">Strongly marked</span>: the words that answer.${" "}`}
  <span class="sample sentence">Shaded</span>: the sentences that fit the question best.${" "}
  <span class="sample term">Underlined</span>: its words.
</p>`;
