// The Worker without a model, on the same host with the same bindings: parses what comes and writes it again, or
// (small) an answer of as many bytes as a prediction has, or gives bytes back as they are.
import { DurableObject } from 'cloudflare:workers';
import './ort.wasm';

export class Outbox extends DurableObject {}
export class Limiter extends DurableObject {}

export default {
  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === '/bytes') return new Response(await request.arrayBuffer());
    const body = await request.json();
    return Response.json(pathname === '/small' ? { answer: 'x'.repeat(Number(searchParams.get('bytes'))) } : body);
  },
};
