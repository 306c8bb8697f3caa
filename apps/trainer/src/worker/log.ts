/** JSON logs, one object a line. Knows nothing of what is logged. */

/** How grave a line is, rising. */
export type Level = 'debug' | 'info' | 'warn' | 'error';
const LEVELS: readonly Level[] = ['debug', 'info', 'warn', 'error'];

/** Writes one line per call; fields beside the message stay machine-readable. */
export interface Log {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
  /** The same log with these fields on every line. */
  with(fields: Record<string, unknown>): Log;
}

/** A log that drops what is below `level`. */
export function createLog(
  level: Level,
  fields: Record<string, unknown> = {},
  write: (line: string) => void = (line) => process.stderr.write(line),
): Log {
  const at = (own: Level) => (message: string, more?: Record<string, unknown>) => {
    if (LEVELS.indexOf(own) < LEVELS.indexOf(level)) return;
    const time = new Date().toISOString();
    write(`${JSON.stringify({ time, level: own, name: 'trainer', message, ...fields, ...more })}\n`);
  };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    with: (more) => createLog(level, { ...fields, ...more }, write),
  };
}
