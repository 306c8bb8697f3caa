/**
 * GraphQL over fetch, patient: an API that is away or overloaded is asked again, forever; a refusal is thrown.
 * Knows no operation (operations.ts has them).
 */
import { z } from 'zod';

/** A refusal that asking again will not change: a bad key, a document the API does not know, a bug over there. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
}

/** Another attempt owns the run, or it has ended: whoever gets this must stop writing. */
export class StaleAttempt extends Error {
  override readonly name = 'StaleAttempt';
}

/** Where the API is, who asks, and who is told of failed tries. */
export interface ApiOptions {
  url: string;
  key: string;
  /** Told before each wait, once per failed try. */
  onRetry?: (problem: string, waitMs: number) => void;
  /** First wait; doubled up to MAX_WAIT_MS. */
  firstWaitMs?: number;
}

/** Bounds of one call. */
export interface CallOptions {
  signal?: AbortSignal;
  /** Of one try. */
  timeoutMs?: number;
}

/** Long enough not to hammer an API that is down, short enough that its return is noticed within a lease. */
const MAX_WAIT_MS = 4000;
/** An answer with errors may be a restart half-way through, but also a bug: not worth more than a few tries. */
const MAX_FAULTS = 5;

const UserError = z.object({ code: z.string(), message: z.string(), field: z.array(z.string()).nullish() });
const Answer = z.object({
  data: z.record(z.string(), z.unknown()).nullish(),
  errors: z.array(z.object({ message: z.string() })).optional(),
});
type Answer = z.infer<typeof Answer>;
/** What one try came to. */
type Try = { answer: Answer } | { away: string } | { fault: string } | { refused: string };

/** The client of one API with one key. */
export class Api {
  readonly url: string;
  readonly #options: ApiOptions;

  constructor(options: ApiOptions) {
    this.url = options.url;
    this.#options = options;
  }

  /**
   * Runs a mutation of one field and answers its payload, parsed.
   * @throws StaleAttempt, ApiError, or the signal's reason once it is aborted.
   */
  async mutate<T>(document: string, input: object, payload: z.ZodType<T>, options: CallOptions = {}): Promise<T> {
    const answer = await this.#patiently(() => this.#post(document, input, options), options.signal);
    const [field, value] = Object.entries(answer.data ?? {})[0] ?? ['data', null];
    const { userErrors } = z.object({ userErrors: z.array(UserError) }).parse(value);
    const stale = userErrors.find((error) => error.code === 'STALE_ATTEMPT');
    if (stale) throw new StaleAttempt(stale.message);
    if (userErrors.length > 0)
      throw new ApiError(`${field}: ${userErrors.map((error) => `${error.code}: ${error.message}`).join('; ')}`);
    return payload.parse(value);
  }

  /** A plain HTTP exchange (signed blob URLs) under the same patience. A relative URL is the API's. */
  async http(url: string, init: RequestInit, options: CallOptions = {}): Promise<Response> {
    const target = new URL(url, this.url);
    let response: Response | undefined;
    await this.#patiently(async () => {
      try {
        response = await fetch(target, { ...init, signal: signalOf(options) });
      } catch (cause) {
        return { away: reason(cause) };
      }
      if (response.ok) return { answer: {} };
      const problem = `${init.method ?? 'GET'} ${target.pathname}: HTTP ${response.status} ${await excerpt(response)}`;
      return response.status >= 500 || response.status === 429 ? { away: problem } : { refused: problem };
    }, options.signal);
    if (!response) throw new ApiError(`no response from ${target.host}`);
    return response;
  }

  async #post(query: string, input: object, options: CallOptions): Promise<Try> {
    let response: Response;
    try {
      response = await fetch(this.url, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${this.#options.key}`,
          'content-type': 'application/json',
          accept: 'application/graphql-response+json, application/json',
        },
        body: JSON.stringify({ query, variables: { input } }),
        signal: signalOf(options),
      });
      const parsed = Answer.safeParse(await response.json().catch(() => null));
      if (parsed.success && !parsed.data.errors) return { answer: parsed.data };
      const errors = parsed.data?.errors?.map((error) => error.message).join('; ');
      const problem = `HTTP ${response.status} from ${this.url}: ${errors ?? 'not a GraphQL answer'}`;
      if ([429, 502, 503, 504].includes(response.status)) return { away: problem };
      return response.status >= 400 && response.status < 500 ? { refused: problem } : { fault: problem };
    } catch (cause) {
      return { away: reason(cause) };
    }
  }

  /** Repeats until there is an answer or a refusal. */
  async #patiently(attempt: () => Promise<Try>, signal?: AbortSignal): Promise<Answer> {
    let faults = 0;
    for (let wait = this.#options.firstWaitMs ?? 200; ; wait = Math.min(wait * 2, MAX_WAIT_MS)) {
      const outcome = await attempt();
      signal?.throwIfAborted();
      if ('answer' in outcome) return outcome.answer;
      if ('refused' in outcome) throw new ApiError(outcome.refused);
      if ('fault' in outcome && ++faults >= MAX_FAULTS) throw new ApiError(outcome.fault);
      this.#options.onRetry?.('away' in outcome ? outcome.away : outcome.fault, wait);
      await pause(wait, signal);
    }
  }
}

/** Waits, or rejects with the signal's reason as soon as it is aborted. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const timer = setTimeout(done, ms);
    function done() {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      if (signal?.aborted) reject(signal.reason);
      else resolve();
    }
    signal?.addEventListener('abort', done);
  });
}

function signalOf({ signal, timeoutMs = 30_000 }: CallOptions): AbortSignal {
  const timeout = AbortSignal.timeout(timeoutMs);
  return signal ? AbortSignal.any([signal, timeout]) : timeout;
}

/** fetch says only "fetch failed"; what happened stands in its cause. */
function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}

async function excerpt(response: Response): Promise<string> {
  return (await response.text().catch(() => '')).slice(0, 200);
}
