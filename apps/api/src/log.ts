/** JSON lines on stderr: time, level, message, fields. Knows no request; callers pass the request id as a field. */
import type { Logger } from './deps.ts';

const LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LEVELS)[number];

/** A logger that writes what is at least as grave as `level`. */
export function jsonLogger(name: string, level: LogLevel): Logger {
  const threshold = LEVELS.indexOf(level);
  const line =
    (of: LogLevel) =>
    (message: string, fields: Record<string, unknown> = {}) => {
      if (LEVELS.indexOf(of) < threshold) return;
      const entry = { time: new Date().toISOString(), level: of, name, message, ...fields };
      process.stderr.write(`${JSON.stringify(entry)}\n`);
    };
  return { info: line('info'), warn: line('warn'), error: line('error') };
}
