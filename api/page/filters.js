// The filter as the page edits it, as the API takes it, and as it stands in the address.

import { html, useState } from "./vendor/standalone.module.js";
import { dateInWords } from "./words.js";

/** {from, to: `YYYY-MM-DD` or "", sources: names, other: conditions of the API that the page only shows}. */
export const NO_FILTER = Object.freeze({ from: "", to: "", sources: [], other: [] });

const DAY = /^\d{4}-\d{2}-\d{2}$/;
const SIGNS = {
  eq: "is",
  ne: "is not",
  gt: "after",
  gte: "from",
  lt: "before",
  lte: "until",
  in: "is one of",
  nin: "is none of",
};
const MANY_SOURCES = 12;

function take(filter, condition) {
  const { field, ...test } = condition;
  const [operator, value] = Object.entries(test)[0] || [];
  if (field === "published" && Object.keys(test).every((name) => ["gte", "lte"].includes(name) && DAY.test(test[name])))
    return { ...filter, from: test.gte || filter.from, to: test.lte || filter.to };
  if (field === "source" && operator === "in" && Array.isArray(value)) return { ...filter, sources: value };
  if (field === "source" && operator === "eq") return { ...filter, sources: [value] };
  return { ...filter, other: [...filter.other, condition] };
}

/** The filter that a JSON text in the address means; what is not JSON is no filter. */
export function filterFromText(text) {
  try {
    const given = JSON.parse(text);
    if (!given || typeof given !== "object") return NO_FILTER;
    return (Array.isArray(given.and) ? given.and : [given]).reduce(take, NO_FILTER);
  } catch {
    return NO_FILTER;
  }
}

/** The filter in the API's language, or null where nothing is filtered. */
export function filterForApi({ from, to, sources, other }) {
  const conditions = [...other];
  if (from || to) conditions.push({ field: "published", ...(from && { gte: from }), ...(to && { lte: to }) });
  if (sources.length) conditions.push({ field: "source", in: sources });
  if (!conditions.length) return null;
  return conditions.length === 1 ? conditions[0] : { and: conditions };
}

function inWords(condition) {
  const { field, ...test } = condition;
  if (!field) return JSON.stringify(condition);
  return Object.entries(test)
    .map(([name, value]) => `${field} ${SIGNS[name] || name} ${Array.isArray(value) ? value.join(", ") : value}`)
    .join(" and ");
}

/** What is filtered by, each part with its words and the filter that is left without it. */
function chipsOf(filter) {
  const { from, to, sources, other } = filter;
  return [
    from && { text: `From ${dateInWords(from)}`, without: { ...filter, from: "" } },
    to && { text: `Until ${dateInWords(to)}`, without: { ...filter, to: "" } },
    ...sources.map((name) => ({
      text: name,
      without: { ...filter, sources: sources.filter((kept) => kept !== name) },
    })),
    ...other.map((one) => ({
      text: inWords(one),
      without: { ...filter, other: other.filter((kept) => kept !== one) },
    })),
  ].filter(Boolean);
}

function Chips({ filter, onChange }) {
  const chips = chipsOf(filter);
  if (!chips.length) return null;
  return html`<ul class="chips" aria-label="Filters in use">
    ${chips.map(
      ({ text, without }) => html`<li key=${text}>
        <button type="button" onClick=${() => onChange(without)}>
          <span class="visually-hidden">Remove filter: </span><bdi>${text}</bdi>
          <span aria-hidden="true" class="cross">×</span>
        </button>
      </li>`,
    )}
  </ul>`;
}

function SourceChoice({ sources, chosen, onToggle }) {
  const [search, setSearch] = useState("");
  const names = Object.keys(sources).sort((one, other) => sources[other] - sources[one] || one.localeCompare(other));
  const shown = names.filter((name) => chosen.includes(name) || name.toLowerCase().includes(search.toLowerCase()));
  return html`<fieldset class="sources">
    <legend>Source</legend>
    ${
      names.length > MANY_SOURCES &&
      html`<input type="search" aria-label="Find a source" placeholder="Find a source" value=${search}
      onInput=${(event) => setSearch(event.target.value)} />`
    }
    <div class="choices">
      ${shown.slice(0, 100).map(
        (name) => html`<label key=${name}>
          <input type="checkbox" checked=${chosen.includes(name)} onChange=${() => onToggle(name)} />
          <bdi>${name}</bdi> <span class="muted">${sources[name]}</span>
        </label>`,
      )}
    </div>
  </fieldset>`;
}

function DayField({ label, value, onChange }) {
  return html`<label class="day">
    ${label}<input type="date" value=${value} onChange=${(event) => onChange(event.target.value)} />
  </label>`;
}

/** The form: nothing is applied before its button is pressed, so a half-typed year filters nothing. */
function Form({ filter, sources, onApply }) {
  const [draft, setDraft] = useState(filter);
  const toggle = (name) =>
    setDraft((old) => ({
      ...old,
      sources: old.sources.includes(name) ? old.sources.filter((kept) => kept !== name) : [...old.sources, name],
    }));
  const apply = (event) => {
    event.preventDefault();
    onApply(draft);
  };
  return html`<form class="filter-form" aria-label="Filters" onSubmit=${apply}>
    <fieldset class="days">
      <legend>Published</legend>
      <${DayField} label="From" value=${draft.from} onChange=${(from) => setDraft((old) => ({ ...old, from }))} />
      <${DayField} label="Until" value=${draft.to} onChange=${(to) => setDraft((old) => ({ ...old, to }))} />
    </fieldset>
    ${
      Object.keys(sources).length > 0 &&
      html`<${SourceChoice} sources=${sources} chosen=${draft.sources} onToggle=${toggle} />`
    }
    <div class="row"><button class="primary" type="submit">Apply filters</button></div>
  </form>`;
}

/** The filter bar: a button that opens the form, and what is filtered by as chips that remove it. */
export function Filters({ filter, sources, onChange }) {
  const [open, setOpen] = useState(false);
  const apply = (next) => {
    setOpen(false);
    onChange(next);
  };
  return html`<div class="filters">
    <div class="filter-line">
      <button type="button" class="quiet" aria-expanded=${String(open)} onClick=${() => setOpen(!open)}>
        Filter by date and source
      </button>
      <${Chips} filter=${filter} onChange=${onChange} />
    </div>
    ${open && html`<${Form} key=${JSON.stringify(filter)} filter=${filter} sources=${sources} onApply=${apply} />`}
  </div>`;
}
