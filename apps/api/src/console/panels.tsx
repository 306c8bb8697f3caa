/** Which panels stand beside GraphiQL's own: a new panel is one more entry of this list. */
import type { GraphiQLPlugin } from '@graphiql/react';
import { AccessPanel } from './access-panel.tsx';
import type { ApiKey } from './api-key.ts';
import { UploadPanel } from './upload-panel.tsx';
import type { Uploads } from './uploads.ts';

/** The panels in the order of their buttons. Call it once: GraphiQL knows a panel by its identity. */
export function createPanels(stores: { uploads: Uploads; apiKey: ApiKey }): GraphiQLPlugin[] {
  return [
    {
      title: 'Upload',
      icon: () => <Icon path="M12 16V4m0 0L7 9m5-5 5 5M4 15v5h16v-5" />,
      content: () => <UploadPanel uploads={stores.uploads} />,
    },
    {
      title: 'Access',
      icon: () => (
        <Icon path="M13 8.5A4.5 4.5 0 1 0 8.5 13 4.5 4.5 0 0 0 13 8.5ZM11.7 11.7 21 21m-5-5 2.5-2.5M18.5 18.5 21 16" />
      ),
      content: () => <AccessPanel apiKey={stores.apiKey} />,
    },
  ];
}

function Icon({ path }: { path: string }) {
  return (
    <svg viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="1.5" aria-hidden="true">
      <path d={path} strokeLinecap="round" strokeLinejoin="round" />
    </svg>
  );
}
