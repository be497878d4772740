// What an address of the page means, and the address of what is shown.

import { NO_FILTER, filterForApi, filterFromText } from "./filters.js";

/** The address that is shown now. */
export const here = () => location.pathname + location.search;

/** The question in an address `/?q=…&filter=…&collection=…`, with its filter and collection. */
export function askedIn({ search }) {
  const parameters = new URLSearchParams(search);
  return {
    query: parameters.get("q") || "",
    filter: parameters.has("filter") ? filterFromText(parameters.get("filter")) : NO_FILTER,
    collection: parameters.get("collection") || "default",
  };
}

function withParameters(path, given) {
  const text = new URLSearchParams(given.filter(([, value]) => value)).toString();
  return text ? `${path}?${text}` : path;
}

const unlessDefault = (collection) => (collection === "default" ? "" : collection);

/** The address that asks this question again. */
export function addressOfQuestion({ query, filter, collection }) {
  const conditions = filterForApi(filter);
  return withParameters("/", [
    ["q", query],
    ["filter", conditions && JSON.stringify(conditions)],
    ["collection", unlessDefault(collection)],
  ]);
}

/** The document and span in an address `/d/{document}?s=start-end&collection=…` (code points), else null. */
export function spanIn({ pathname, search }) {
  if (!pathname.startsWith("/d/")) return null;
  const parameters = new URLSearchParams(search);
  const [, start, end] = /^(\d{1,15})-(\d{1,15})$/.exec(parameters.get("s") || "") || [];
  const span = Number(start) < Number(end) ? { start: Number(start), end: Number(end) } : { start: null, end: null };
  return { ...span, id: decodeURIComponent(pathname.slice(3)), collection: parameters.get("collection") || "default" };
}

/** The address of a span, or of a document where `start` is null. */
export function addressOfSpan({ id, start, end, collection }) {
  return withParameters(`/d/${encodeURIComponent(id)}`, [
    ["s", start === null ? "" : `${start}-${end}`],
    ["collection", unlessDefault(collection)],
  ]);
}
