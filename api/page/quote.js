// The quote of an answered turn: what a person would accept as the answer, with the exact words marked in it.

import { html } from "./vendor/standalone.module.js";
import { About, Chip } from "./cited.js";
import { layersOf, marked, passageAround } from "./marks.js";

const LONG = 280; // UTF-16 units; a longer quote is set smaller

/** What stands between the bars of a row, as {start, end} without blanks; a bar at either end begins no cell. */
function betweenBars(text) {
  const bars = [...text.matchAll(/(?<!\\)\|/g)].map(({ index }) => index);
  const pieces = [-1, ...bars].map((bar, place) => {
    const [from, to] = [bar + 1, bars[place] ?? text.length];
    const piece = text.slice(from, to);
    const start = from + piece.length - piece.trimStart().length;
    return { start, end: Math.max(start, to - piece.length + piece.trimEnd().length) };
  });
  const outside = (place) => (place === 0 || place === pieces.length - 1) && bars.length > 0;
  return pieces.filter(({ start, end }, place) => start < end || !outside(place));
}

/** The cell `Name: value` as {name, start, end} of its value, null where none of the columns begins it. */
function namedCell(text, { start, end }, columns) {
  const bullet = /^- /.test(text.slice(start, end)) ? 2 : 0;
  const cell = text.slice(start + bullet, end);
  const name = columns.find((column) => column && cell.startsWith(`${column}: `));
  return name ? { name, start: start + bullet + name.length + 2, end } : null;
}

/**
 * A row's cells as {name, start, end}, offsets into its text, without the empty ones; null where it is not sure which
 * column each belongs to. Names stand in the row itself (`Harbour: Brest | Range: 6.1`), or each column has a cell.
 * The command line reads rows in the same way.
 */
export function cellsOf({ kind, text, columns }) {
  if (kind !== "row" || !columns.length) return null;
  const pieces = betweenBars(text);
  const named = pieces.map((piece) => namedCell(text, piece, columns));
  const nameless = named.filter((cell) => !cell).length;
  if (nameless < pieces.length)
    return nameless <= columns.filter((name) => !name).length
      ? named.map((cell, place) => cell || { name: "", ...pieces[place] })
      : null;
  if (pieces.length !== columns.length) return null;
  return pieces.map((piece, place) => ({ name: columns[place], ...piece })).filter(({ start, end }) => start < end);
}

/** A quote as one line for those who hear it or ask on: a row as `City: Gdańsk, Manager: Piotr`. */
export function quoteInWords(quote) {
  const cells = cellsOf(quote);
  if (!cells) return quote.text.trim().replace(/\s+/g, " ");
  const value = ({ start, end }) => quote.text.slice(start, end);
  return cells.map((cell) => (cell.name ? `${cell.name}: ${value(cell)}` : value(cell))).join(", ");
}

/** The exact words as a highlight of the quote, nothing where there are none or they lie elsewhere. */
function wordsIn(quote, answer) {
  if (!answer || !passageAround(answer.citation, [quote])) return [];
  const { start_utf16, end_utf16 } = answer.citation;
  return [{ kind: "answer", start_utf16, end_utf16 }];
}

const Row = ({ text, cells, layers }) => html`<dl class="cells">
  ${cells.map(
    ({ name, start, end }) => html`<div key=${start}>
      <dt dir="auto">${name}</dt><dd dir="auto">${marked(text, layers, start, end)}</dd>
    </div>`,
  )}
</dl>`;

/** How the quote is set. Lines are kept where they mean something: in a list, and where an empty line parts blocks. */
function settingOf({ kind, text }) {
  const lines = kind === "list" || /\n\s*\n/.test(text.trim());
  return [lines && "lines", (lines || text.length > LONG) && "long"].filter(Boolean).join(" ");
}

/** The quote, the chip that opens its place with the words marked, source and date. */
export function Quoted({ quote, answer, passages, onOpen }) {
  const { text, citation, document } = quote;
  const highlights = wordsIn(quote, answer);
  const layers = layersOf(citation, highlights);
  const cells = cellsOf(quote);
  const open = () => onOpen({ citation, document, highlights });
  return html`<blockquote dir="auto" class=${settingOf(quote)}>
      ${cells ? html`<${Row} text=${text} cells=${cells} layers=${layers} />` : marked(text, layers)}
    </blockquote>
    <${Chip} number=${passageAround(citation, passages)?.rank ?? null} document=${document} citation=${citation}
      onClick=${open} />
    <${About} document=${document} citation=${citation} />`;
}
