/** Responses with the headers that every answer of a request has: its id, the route's revision, what a key has left. */

/** The part of a request's context that its answer needs. */
export interface Answering {
  /** Of the answer, whatever it is. */
  headers: Record<string, string>;
}

/** Those that have their request's headers: setting them one by one costs more than giving all at once. */
const complete = new WeakSet<Response>();

/** An answer 200 of this media type. */
export function answer(body: BodyInit, type: string, { headers }: Answering): Response {
  const response = new Response(body, { headers: { 'content-type': type, ...headers } });
  complete.add(response);
  return response;
}

/** An answer 200 of JSON. */
export function answerJson(body: unknown, call: Answering): Response {
  return answer(JSON.stringify(body), 'application/json', call);
}

/** Gives the request's headers to a response that was made without them. */
export function completeAnswer(response: Response, { headers }: Answering): void {
  if (complete.has(response)) return;
  for (const [name, value] of Object.entries(headers)) response.headers.set(name, value);
}
