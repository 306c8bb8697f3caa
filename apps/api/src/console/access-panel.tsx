/** The Access panel: an API key for a console that no link signed in, such as a remote one. */
import { useGraphiQLActions } from '@graphiql/react';
import type { FormEvent } from 'react';
import { useState, useSyncExternalStore } from 'react';
import type { ApiKey } from './api-key.ts';

/** Takes the key and loads the schema again, which may have been refused without it. */
export function AccessPanel({ apiKey }: { apiKey: ApiKey }) {
  const current = useSyncExternalStore(apiKey.subscribe, apiKey.get);
  const [typed, setTyped] = useState(current);
  const { introspect } = useGraphiQLActions();
  const use = (event: FormEvent) => {
    event.preventDefault();
    apiKey.set(typed);
    void introspect();
  };
  return (
    <section className="panel" aria-label="Access">
      <h2>Access</h2>
      <p>
        On your own machine the link of <code>npm start</code> has signed this browser in: nothing to do here. Anywhere
        else, enter an API key. It stays in this page and is forgotten on reload.
      </p>
      <form className="token" onSubmit={use}>
        <input
          type="password"
          autoComplete="off"
          aria-label="API key"
          placeholder="API key"
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
        />
        <button type="submit" className="panel-button">
          {current && current === typed.trim() ? 'In use' : 'Use'}
        </button>
      </form>
    </section>
  );
}
