// How names, dates, counts and reasons are put in words.

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** A publication date in the precision that it came with: `2025`, `Aug 2025`, `26 Aug 2025`. */
export function dateInWords(published) {
  const [, year, month, day] = /^(\d{4})(?:-(\d{2}))?(?:-(\d{2}))?/.exec(published) || [];
  if (!year) return published;
  return [day && String(Number(day)), month && MONTHS[Number(month) - 1], year].filter(Boolean).join(" ");
}

/** A document's title, or else the name that its id was made of (`~XX` is a byte of its UTF-8). */
export function nameOf(document) {
  if (document.title) return document.title;
  try {
    return decodeURIComponent(document.id.replaceAll("~~", "…").replace(/~([0-9A-F]{2})/g, "%$1"));
  } catch {
    return document.id;
  }
}

/** `, page 3` or `, pages 3–4`, or nothing where the format has no pages. */
export function pageInWords(page) {
  if (!page) return "";
  return page.first === page.last ? `, page ${page.first}` : `, pages ${page.first}–${page.last}`;
}

/** `1 document`, `2,000 documents`. */
export const count = (n, noun) => `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;

/** How long ago an instant was: `just now`, `3 hours ago`. */
export function ago(instant, now = Date.now()) {
  const seconds = Math.max(0, (now - Date.parse(instant)) / 1000);
  const units = [
    ["day", 86400],
    ["hour", 3600],
    ["minute", 60],
  ];
  const [unit, length] = units.find(([, size]) => seconds >= size) || [];
  return unit ? `${count(Math.floor(seconds / length), unit)} ago` : "just now";
}

const CONFIDENCE = [
  [0.9, "very high"],
  [0.75, "high"],
  [0.5, "medium"],
  [0.25, "low"],
];

/** The word for a probability; the command line has the same words. */
export const confidenceInWords = (confidence) =>
  (CONFIDENCE.find(([least]) => confidence >= least) || [0, "very low"])[1];

const LEFT_OUT = {
  reader_budget: "Time ran out before every passage was read closely.",
  dense_unavailable: "Search by meaning is not available now; these were found by their words alone.",
  term_view_behind: "The word index is still catching up, so the newest documents may rank lower than they should.",
};

/** What a code of `degraded` left out, as a sentence. */
export const leftOut = (code) => LEFT_OUT[code] || `Left out: ${code}.`;

/** A link only where it leads to the web: any other scheme could run code. */
export function webLink(uri) {
  return /^https?:\/\//i.test(uri || "") ? uri : null;
}
