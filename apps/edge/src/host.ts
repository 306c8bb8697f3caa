/**
 * The self-hosted edge as a process: `npm run edge`, and one child of `npm start`. Prints {"ready":true,"url":...} on
 * stdout when it serves; the Worker's log goes to stderr. Ends on SIGTERM, SIGINT, SIGHUP and, if asked to, with its
 * stdin.
 */
import { readConfig } from './config.ts';
import { type EdgeHost, startEdge } from './host/edge.ts';

try {
  const { watchdog, ...config } = readConfig();
  const edge = await startEdge({ ...config, onLog: (line) => process.stderr.write(`${line}\n`) });
  stopWith(edge, watchdog);
  process.stdout.write(`${JSON.stringify({ ready: true, url: edge.url })}\n`);
} catch (error) {
  process.stderr.write(`edge: ${error instanceof Error ? error.message : error}\n`);
  process.exit(1);
}

function stopWith(edge: EdgeHost, watchdog: boolean): void {
  let stopping = false;
  const stop = () => {
    if (stopping) return;
    stopping = true;
    edge.stop().then(
      () => process.exit(0),
      (error) => {
        process.stderr.write(`edge: could not stop cleanly: ${error}\n`);
        process.exit(1);
      },
    );
  };
  // Miniflare listens too, and would end the process before its storage is closed.
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.removeAllListeners(signal).on(signal, stop);
  if (!watchdog) return;
  process.stdin.on('end', stop).on('close', stop).on('error', stop);
  process.stdin.resume();
}
