// Text with parts of it marked. Everything is made of text nodes: nothing here can parse markup.
// Offsets count UTF-16 code units, because JavaScript's slice does, unless a name says code points.

import { html } from "./vendor/standalone.module.js";

// From the outermost mark to the innermost; each kind is cut at the borders of the one around it.
const LAYERS = ["sentence", "answer", "term"];

// A passage of more than SHORT units is cut to its sentences with AROUND units beside them; no gap hides fewer than
// LITTLE.
const SHORT = 600;
const AROUND = 100;
const LITTLE = 120;

/** The index in `text` that lies `codePoints` code points after its start (at most the length of `text`). */
export function utf16At(text, codePoints) {
  let at = 0;
  for (let left = codePoints; left > 0 && at < text.length; left -= 1) at += text.codePointAt(at) > 0xffff ? 2 : 1;
  return at;
}

/** A passage's highlights as layers of sorted spans, relative to a text in which the citation starts at `shift`. */
export function layersOf(citation, highlights, shift = 0) {
  const place = (utf16) => utf16 - citation.start_utf16 + shift;
  return LAYERS.map((kind) => ({
    kind,
    spans: highlights
      .filter((highlight) => highlight.kind === kind)
      .map((highlight) => ({ start: place(highlight.start_utf16), end: place(highlight.end_utf16) }))
      .sort((one, other) => one.start - other.start),
  }));
}

/** `text` from `from` to `to` as text nodes and <mark> elements, layer within layer. */
export function marked(text, layers, from = 0, to = text.length) {
  if (from >= to) return [];
  if (layers.length === 0) return [text.slice(from, to)];
  const [{ kind, spans }, ...inner] = layers;
  const parts = [];
  let at = from;
  for (const span of spans) {
    const start = Math.max(span.start, at);
    const end = Math.min(span.end, to);
    if (start >= end) continue;
    parts.push(...marked(text, inner, at, start));
    parts.push(html`<mark class=${kind}>${marked(text, inner, start, end)}</mark>`);
    at = end;
  }
  parts.push(...marked(text, inner, at, to));
  return parts;
}

function wordAfter(text, at, limit) {
  const blank = text.slice(Math.max(at, 0), limit).search(/\s/);
  return blank < 0 ? limit : Math.max(at, 0) + blank + 1;
}

function wordBefore(text, at, limit) {
  const blank = text.slice(limit, at).search(/\s\S*$/);
  return blank < 0 ? limit : limit + blank;
}

/**
 * A passage without the blanks at its ends, in pieces {start, end, shown}: its highlighted sentences and answers with
 * some words around them are shown at first, and so is everything where it is short or nothing is highlighted.
 */
export function piecesOf({ text, citation, highlights }) {
  const from = text.length - text.trimStart().length;
  const to = Math.max(from, text.trimEnd().length);
  const [sentences, answers] = layersOf(citation, highlights);
  const spans = [...sentences.spans, ...answers.spans].sort((one, other) => one.start - other.start);
  if (to - from <= SHORT || !spans.length) return [{ start: from, end: to, shown: true }];
  const pieces = [];
  const reach = (start, end) => {
    const last = pieces.at(-1) || { end: from };
    if (start - last.end >= LITTLE)
      pieces.push({ start: last.end, end: start, shown: false }, { start, end, shown: true });
    else if (pieces.length) last.end = Math.max(last.end, end);
    else pieces.push({ start: from, end, shown: true });
  };
  for (const { start, end } of spans)
    reach(wordAfter(text, start - AROUND, start), Math.min(to, wordBefore(text, end + AROUND, end)));
  const last = pieces.at(-1);
  if (to - last.end < LITTLE) last.end = to;
  else pieces.push({ start: last.end, end: to, shown: false });
  return pieces;
}

/** The passage that a cited place lies in, or undefined where none of `passages` holds it. */
export function passageAround({ document_id, document_sha256, start_char, end_char }, passages) {
  return passages.find(
    ({ citation }) =>
      citation.document_id === document_id &&
      citation.document_sha256 === document_sha256 &&
      citation.start_char <= start_char &&
      end_char <= citation.end_char,
  );
}

/** What stands before `start` in its sentence, as far as it lies within AROUND units; a cut is told by an ellipsis. */
function sentenceBefore(text, start) {
  const cut = start > AROUND;
  const sentences = text.slice(cut ? wordAfter(text, start - AROUND, start) : 0, start).split(/[.!?]["”’»)]*\s+/);
  return cut && sentences.length === 1 ? `… ${sentences[0]}` : sentences.at(-1);
}

/** What stands after `end` in its sentence, likewise. */
function sentenceAfter(text, end) {
  const cut = text.length - end > AROUND;
  const after = text.slice(end, cut ? wordBefore(text, end + AROUND, end) : text.length);
  const [sentence] = /^[^]*?[.!?]["”’»)]*(?=\s|$)/.exec(after) || [cut ? `${after} …` : after];
  return sentence;
}

/** The place of a citation in a passage as [before, words, after]: in the marked sentence, or in one that is guessed. */
export function inSentence(place, { text, citation, highlights }) {
  const [start, end] = [place.start_utf16 - citation.start_utf16, place.end_utf16 - citation.start_utf16];
  const [{ spans }] = layersOf(citation, highlights);
  const sentence = spans.find((span) => span.start <= start && end <= span.end);
  const words = text.slice(start, end);
  if (sentence) return [text.slice(sentence.start, start), words, text.slice(end, sentence.end)];
  return [sentenceBefore(text, start), words, sentenceAfter(text, end)];
}
