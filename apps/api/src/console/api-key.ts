/** The API key that a user typed, for this page only: never stored, so it is gone with the tab. */

/** Holds the key and tells who watches when it changes. */
export interface ApiKey {
  get(): string;
  set(key: string): void;
  subscribe(listener: () => void): () => void;
}

/** No key at first: the local console is signed in by its cookie. */
export function createApiKey(): ApiKey {
  const listeners = new Set<() => void>();
  let value = '';
  return {
    get: () => value,
    set(key) {
      value = key.trim();
      for (const listener of listeners) listener();
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
