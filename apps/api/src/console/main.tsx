/** Puts the console into the page. */
/// <reference types="vite/client" />
import 'graphiql/setup-workers/vite';
import 'graphiql/style.css';
import './console.css';
import { createRoot } from 'react-dom/client';
import { Console } from './graphiql.tsx';
import { seedFirstTab } from './tabs.ts';

const place = document.querySelector('#console');
if (!place) throw new Error('index.html has no element #console to draw into.');
seedFirstTab(localStorage);
createRoot(place).render(<Console />);
