/** Reads a text/event-stream body as events. Knows the wire format only, neither GraphQL nor fetch. */

/** One event of a stream: its name ("message" when the server gave none) and its data. */
export interface ServerEvent {
  event: string;
  data: string;
}

/** The events of a stream, in order; comments (keep-alive pings) are left out. */
export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent> {
  const decoder = new TextDecoder();
  const reader = body.getReader();
  let rest = '';
  try {
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
      rest += decoder.decode(chunk.value, { stream: true });
      const blocks = rest.replaceAll('\r\n', '\n').split('\n\n');
      rest = blocks.pop() ?? '';
      for (const block of blocks) {
        const event = parseEvent(block);
        if (event) yield event;
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

function parseEvent(block: string): ServerEvent | undefined {
  const fields = block.split('\n').map((line) => /^([^:]*):? ?(.*)$/s.exec(line) ?? []);
  const values = (name: string) => fields.filter((field) => field[1] === name).map((field) => field[2] ?? '');
  const event = values('event').at(-1);
  const data = values('data');
  return event === undefined && data.length === 0 ? undefined : { event: event ?? 'message', data: data.join('\n') };
}
