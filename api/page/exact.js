// What stands above the passages of an answered turn: the quote, how sure that is, other answers, disagreement.

import { html } from "./vendor/standalone.module.js";
import { About, Chip } from "./cited.js";
import { inSentence, passageAround } from "./marks.js";
import { Quoted } from "./quote.js";
import { confidenceInWords } from "./words.js";

/** What the viewer opens for exact words: the passage that holds them with only these words marked, or their place. */
function openedAt({ citation, document }, passage) {
  if (!passage) return { citation, document, highlights: [] };
  const { start_utf16, end_utf16 } = citation;
  const others = passage.highlights.filter(({ kind }) => kind !== "answer");
  return { ...passage, highlights: [...others, { kind: "answer", start_utf16, end_utf16 }] };
}

/** Exact words in their sentence, with the chip that opens them, source and date. */
function Said({ said, passages, onOpen }) {
  const { text, citation, document } = said;
  const passage = passageAround(citation, passages);
  const [before, words, after] = passage ? inSentence(citation, passage) : ["", text, ""];
  const open = () => onOpen(openedAt(said, passage));
  return html`<blockquote dir="auto">${before}<mark class="answer">${words}</mark>${after}</blockquote>
    <${Chip} number=${passage?.rank ?? null} document=${document} citation=${citation} onClick=${open} />
    <${About} document=${document} citation=${citation} />`;
}

/** A probability in words and as a percentage; nothing where there is none. */
export const Confidence = ({ of }) =>
  of !== null &&
  html`<p class="confidence">
    Confidence that the answer is here: <strong>${confidenceInWords(of)}</strong> (${`${Math.round(100 * of)}\u00a0%`})
  </p>`;

function Conflict({ conflict, ...shown }) {
  return html`<section class="conflict notice" aria-label="Sources disagree">
    <h3>Sources disagree on a ${conflict.kind}</h3>
    <ul class="values">
      ${conflict.values.map(
        (said) => html`<li class="said" key=${said.citation.url}>
          <p class="value" dir="auto">${said.text}</p>
          <${Said} said=${said} ...${shown} />
        </li>`,
      )}
    </ul>
  </section>`;
}

const Alternatives = ({ alternatives, ...shown }) => html`<section class="alternatives" aria-label="Other answers">
  <h3>Other answers</h3>
  <ul>
    ${alternatives.map(
      (said) => html`<li class="said" key=${said.citation.url}><${Said} said=${said} ...${shown} /></li>`,
    )}
  </ul>
</section>`;

/** What stands above the passages of an answered turn. */
export function Exact({ answer: { quote, answer, confidence, conflicts, passages }, onOpen }) {
  const shown = { passages, onOpen };
  return html`${
    quote &&
    html`<section class="exact said" aria-label="Answer">
      <h3 class="visually-hidden">Answer</h3>
      <${Quoted} quote=${quote} answer=${answer} ...${shown} />
    </section>`
  }
    <${Confidence} of=${confidence} />
    ${conflicts.map((conflict, index) => html`<${Conflict} key=${index} conflict=${conflict} ...${shown} />`)}
    ${answer?.alternatives.length > 0 && html`<${Alternatives} alternatives=${answer.alternatives} ...${shown} />`}`;
}
