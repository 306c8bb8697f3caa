/** Keys and secrets of the one-machine stack, made once and kept in <home>/secrets.json (0600). */
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const NAMES = ['adminKey', 'trainerKey', 'edgeKey', 'edgeAdminSecret', 'signingSecret'] as const;
export type Secrets = Record<(typeof NAMES)[number], string>;

/** Writes a file that only we can read, whole or not at all. */
export function writePrivate(file: string, text: string): void {
  const half = `${file}.${process.pid}`;
  writeFileSync(half, text, { mode: 0o600 });
  chmodSync(half, 0o600); // the mode above is for new files only
  renameSync(half, file);
}

/** Reads the secrets, making those that are missing: 32 random bytes each. */
export function readSecrets(home: string): Secrets {
  const file = path.join(home, 'secrets.json');
  mkdirSync(home, { recursive: true });
  const kept: Partial<Secrets> = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
  const make = (name: string) => kept[name as keyof Secrets] ?? `ann_${randomBytes(32).toString('base64url')}`;
  const secrets = Object.fromEntries(NAMES.map((name) => [name, make(name)])) as Secrets; // every name is there now
  if (NAMES.some((name) => kept[name] === undefined)) writePrivate(file, `${JSON.stringify(secrets, null, 2)}\n`);
  return secrets;
}
