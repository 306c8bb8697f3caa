/** The event stream reader, cut at every possible place. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readEvents, type ServerEvent } from './sse.ts';

async function eventsOf(...chunks: Uint8Array[]): Promise<ServerEvent[]> {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
  const events: ServerEvent[] = [];
  for await (const event of readEvents(body)) events.push(event);
  return events;
}
const bytes = (text: string) => new TextEncoder().encode(text);

const STREAM = ':\n\nevent: next\ndata: {"a":"ü"}\n\n:ping\n\ndata: one\ndata:two\n\nevent: complete\ndata\n\n';
const EVENTS = [
  { event: 'next', data: '{"a":"ü"}' },
  { event: 'message', data: 'one\ntwo' },
  { event: 'complete', data: '' },
];

describe('readEvents', () => {
  it.each(['\n', '\r\n'])('reads the same events wherever the stream is cut (line end %j)', async (end) => {
    const whole = bytes(STREAM.replaceAll('\n', end));
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(fc.nat(whole.length), { maxLength: 8 }), async (cuts) => {
        const places = [0, ...cuts.sort((a, b) => a - b), whole.length];
        const chunks = places.slice(1).map((place, i) => whole.slice(places[i], place));
        expect(await eventsOf(...chunks)).toEqual(EVENTS);
      }),
    );
  });

  it('leaves out an event that the end of the stream cut off', async () => {
    expect(await eventsOf(bytes('data: whole\n\ndata: ha'))).toEqual([{ event: 'message', data: 'whole' }]);
  });
});
