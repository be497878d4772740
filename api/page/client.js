// Everything that talks to the server: JSON calls, the answer stream, uploads and their jobs.

/** What went wrong, in words for a person. `kind`: offline, dropped, refused (4xx) or failed (5xx). */
export class Problem extends Error {
  constructor(kind, title, { detail = "", code = "", requestId = "", retryAfter = null } = {}) {
    super(title);
    Object.assign(this, { kind, title, detail, code, requestId, retryAfter });
  }
}

const offline = () =>
  new Problem("offline", "The server cannot be reached.", { detail: `Is Pincite still running at ${location.host}?` });

const dropped = () =>
  new Problem("dropped", "The connection was lost before the answer was complete.", { detail: "Nothing was lost." });

/** A Problem from problem+json that came with `status`, or from whatever else came instead. */
export function problemFrom(status, body, headers) {
  const given = body && typeof body === "object" ? body : {};
  return new Problem(status >= 500 ? "failed" : "refused", given.title || `The server answered ${status}.`, {
    detail: given.detail || "",
    code: given.code || "",
    requestId: given.request_id || headers?.get("x-request-id") || "",
    retryAfter: headers?.get("retry-after") ?? null,
  });
}

async function call(path, options = {}) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    throw error.name === "AbortError" ? error : offline();
  }
  if (response.ok) return response;
  throw problemFrom(response.status, await response.json().catch(() => null), response.headers);
}

/** The JSON at `path`; `parameters` that are null or empty are left out. */
export async function getJson(path, parameters = {}, signal = undefined) {
  const given = Object.entries(parameters).filter(([, value]) => value !== null && value !== "");
  const query = new URLSearchParams(given).toString();
  return (await call(query ? `${path}?${query}` : path, { signal })).json();
}

/** What one complete line does to the event under way; returns the event when the line ends it. */
function readLine(line, pending) {
  if (line.startsWith("event:")) pending.event = line.slice(6).trim();
  else if (line.startsWith("data:")) pending.data.push(line.slice(5).replace(/^ /, ""));
  if (line !== "" || !pending.data.length) return null;
  const ended = { event: pending.event, data: JSON.parse(pending.data.join("\n")) };
  Object.assign(pending, { event: "message", data: [] });
  return ended;
}

/** The events of an SSE body as {event, data}; the unfinished line waits for the rest of it. */
export async function* eventsOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  const pending = { event: "message", data: [] };
  let unfinished = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const lines = (unfinished + value).split(/\r?\n/);
      unfinished = lines.pop();
      for (const line of lines) {
        const ended = readLine(line, pending);
        if (ended) yield ended;
      }
    }
  } finally {
    reader.cancel().catch(() => {}); // the reader of the events may have had enough before their end
  }
}

async function* eventsOrDropped(body) {
  try {
    yield* eventsOf(body);
  } catch (error) {
    throw error.name === "AbortError" ? error : dropped();
  }
}

/** Ask: yields {event: "candidates"} when the server streams, then exactly one {event: "answer"}, or throws. */
export async function* ask(question, signal) {
  const response = await call("/v1/ask", {
    method: "POST",
    headers: { "content-type": "application/json", accept: "text/event-stream, application/json" },
    body: JSON.stringify({ ...question, stream: true }),
    signal,
  });
  if (!(response.headers.get("content-type") || "").startsWith("text/event-stream")) {
    yield { event: "answer", data: await response.json() };
    return;
  }
  for await (const { event, data } of eventsOrDropped(response.body)) {
    if (event === "error") throw problemFrom(data.status ?? 500, data, response.headers);
    if (event === "candidates" || event === "answer") yield { event, data };
    if (event === "answer") return;
  }
  throw dropped();
}

/** Send one file; resolves to its job. `onSent` gets the share sent, 0 to 1. XHR, because fetch cannot tell it. */
export function sendFile(file, collection, onSent, signal) {
  return new Promise((resolve, reject) => {
    const form = new FormData();
    form.append("collection", collection);
    form.append("files", file, file.name);
    const request = new XMLHttpRequest();
    request.responseType = "json";
    request.upload.onprogress = (event) => event.lengthComputable && onSent(event.loaded / event.total);
    request.onload = () =>
      request.status < 300 ? resolve(request.response.job) : reject(problemFrom(request.status, request.response));
    request.onerror = () => reject(offline());
    request.onabort = () => reject(new DOMException("Cancelled", "AbortError"));
    signal.addEventListener("abort", () => request.abort());
    request.open("POST", "/v1/documents");
    request.send(form);
  });
}

const pause = (ms, signal) =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new DOMException("Cancelled", "AbortError"));
    });
  });

/** Follow a job until it ends, telling `onJob` each state; resolves to the last one. Aborting cancels the job. */
export async function followJob(job, onJob, signal) {
  let state = job;
  try {
    for (let wait = 100; state.status === "queued" || state.status === "running"; wait = Math.min(wait * 1.5, 1000)) {
      onJob(state);
      await pause(wait, signal);
      state = await getJson(`/v1/jobs/${encodeURIComponent(job.id)}`, {}, signal);
    }
  } catch (error) {
    if (error.name === "AbortError") await call(`/v1/jobs/${encodeURIComponent(job.id)}`, { method: "DELETE" });
    throw error;
  }
  return state;
}
