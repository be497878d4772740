// The page as a whole: the ask box, the turns and the viewer, and the address that says what is shown.

import { html, render, useCallback, useEffect, useLayoutEffect, useRef, useState } from "./vendor/standalone.module.js";
import { addressOfQuestion, addressOfSpan, askedIn, here, spanIn } from "./address.js";
import { AskBox, CollectionChoice, Empty, useSlash } from "./ask.js";
import { getJson } from "./client.js";
import { Filters, NO_FILTER } from "./filters.js";
import { Turn, announcement, historyOf, useTurns } from "./turns.js";
import { Upload, uploadAnnouncement, useDrop, useUploads } from "./upload.js";
import { Viewer, targetOfPassage } from "./viewer.js";

/** The names of the collections, and what is known of the one that is asked; `refresh` looks again. */
function useCollection(name) {
  const [known, setKnown] = useState({ names: [], info: null, problem: null });
  const refresh = useCallback(async () => {
    try {
      const [{ collections }, info] = await Promise.all([
        getJson("/v1/collections"),
        getJson(`/v1/collections/${encodeURIComponent(name)}`),
      ]);
      setKnown({ names: collections.map((collection) => collection.name), info, problem: null });
    } catch (problem) {
      setKnown((old) => ({ ...old, info: null, problem }));
    }
  }, [name]);
  useEffect(() => void refresh(), [refresh]);
  return { ...known, refresh };
}

/** The viewer's target, and the address and the focus that go with opening and closing it. */
function useViewer() {
  const [target, setTarget] = useState(() => spanIn(location));
  const opener = useRef(null);
  const shown = useRef(target);
  const open = useCallback((passage) => {
    const next = targetOfPassage(passage);
    const method = history.state?.viewer ? "replaceState" : "pushState";
    opener.current = document.activeElement;
    history[method]({ viewer: true }, "", addressOfSpan(next));
    setTarget(next);
  }, []);
  const close = useCallback(() => {
    if (history.state?.viewer) return history.back(); // popstate closes it
    const { collection } = askedIn(location);
    history.replaceState(null, "", addressOfQuestion({ query: "", filter: NO_FILTER, collection }));
    return setTarget(null);
  }, []);
  useLayoutEffect(() => {
    const back = opener.current?.isConnected ? opener.current : document.getElementById("query");
    if (shown.current && !target) back.focus();
    shown.current = target;
  }, [target]);
  return { target, setTarget, open, close };
}

/** The address that asks a turn's question again, complete in itself. */
const addressOfTurn = ({ asked, answer }) =>
  addressOfQuestion({ ...asked, query: answer?.standalone_query || asked.query });

/** What is asked and where, and what each change of it does to the turns and the address. */
function useTalk(viewer) {
  const [{ filter, collection }, setWhere] = useState(() => askedIn(location));
  const { turns, ...talk } = useTurns();
  const [newest] = turns;
  const address = newest ? addressOfTurn(newest) : addressOfQuestion({ query: "", filter, collection });
  const ask = (query) => {
    const asked = { query, filter, collection };
    history.pushState(null, "", addressOfQuestion(asked));
    viewer.setTarget(null);
    talk.ask(asked, historyOf(turns));
  };
  const again = (turn, change = {}) => talk.ask({ ...turn.asked, ...change }, turn.history, turn.id);
  const narrow = (next) => {
    setWhere({ filter: next, collection });
    if (newest) again(newest, { filter: next });
  };
  const choose = (name) => {
    setWhere({ filter: NO_FILTER, collection: name });
    talk.clear();
  };
  const follow = () => {
    const asked = askedIn(location);
    viewer.setTarget(spanIn(location));
    if (spanIn(location) || here() === address) return;
    setWhere(asked);
    if (asked.query) talk.ask(asked, []);
    else talk.clear();
  };
  useEffect(follow, []);
  useEffect(() => {
    addEventListener("popstate", follow);
    return () => removeEventListener("popstate", follow);
  });
  useEffect(() => {
    document.title = newest ? `${newest.asked.query} – Pincite` : "Pincite";
    if (!spanIn(location) && here() !== address) history.replaceState(null, "", address);
  }, [address]);
  return { turns, filter, collection, ask, again, narrow, choose, cancel: talk.cancel };
}

function Header({ uploading, onToggle, children }) {
  return html`<header class="top">
    <h1><a href="/" class="brand">Pincite</a></h1>
    ${children}
    <button type="button" class="quiet" aria-expanded=${String(uploading)} onClick=${onToggle}>Add documents</button>
  </header>`;
}

function Feed({ talk, documents, onOpen }) {
  if (!talk.turns.length) return null;
  return html`<div role="feed" class="feed" aria-label="Questions and answers, the newest first">
    ${talk.turns.map(
      (turn, index) => html`<${Turn} key=${turn.id} turn=${turn} place=${index + 1} of=${talk.turns.length}
      documents=${documents} onOpen=${onOpen} onCancel=${talk.cancel} onRetry=${(failed) => talk.again(failed)} />`,
    )}
  </div>`;
}

function App() {
  const viewer = useViewer();
  const talk = useTalk(viewer);
  const { names, info, problem, refresh } = useCollection(talk.collection);
  const uploads = useUploads(talk.collection, refresh);
  const [adding, setAdding] = useState(false);
  const add = (files) => {
    setAdding(true);
    uploads.add(files);
  };
  const over = useDrop(add);
  const uploading = adding || over || info?.documents === 0;
  useSlash();
  return html`<div class=${viewer.target ? "page with-viewer" : "page"}>
      <${Header} uploading=${uploading} onToggle=${() => setAdding(!adding)}>
        <${CollectionChoice} names=${names} name=${talk.collection} onChange=${talk.choose} />
      <//>
      <main>
        <${AskBox} onAsk=${talk.ask} followUp=${talk.turns.length > 0} />
        <${Filters} filter=${talk.filter} sources=${info?.facets.sources || {}} onChange=${talk.narrow} />
        <p role="status" class="visually-hidden">${announcement(talk.turns[0])}</p>
        <p role="status" class="visually-hidden">${uploadAnnouncement(uploads.files)}</p>
        ${uploading && html`<${Upload} files=${uploads.files} over=${over} onAdd=${add} onCancel=${uploads.cancel} />`}
        ${!talk.turns.length && html`<${Empty} info=${info} problem=${problem} onAsk=${talk.ask} onRetry=${refresh} />`}
        <${Feed} talk=${talk} documents=${info?.documents} onOpen=${viewer.open} />
      </main>
    </div>
    ${viewer.target && html`<${Viewer} target=${viewer.target} onClose=${viewer.close} />`}`;
}

render(html`<${App} />`, document.getElementById("app"));
