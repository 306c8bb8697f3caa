/**
 * The name of the local bucket. Miniflare always opens a second loopback socket that serves local buckets by name and
 * asks for no key; a random name of its own for every data folder keeps artifacts and routes out of reach there.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** Made once per data folder and kept in `<data>/bucket` (0600). */
export function bucketName(data: string): string {
  const file = path.join(data, 'bucket');
  if (existsSync(file)) return readFileSync(file, 'utf8').trim();
  mkdirSync(data, { recursive: true });
  const name = `artifacts-${randomBytes(20).toString('hex')}`;
  writeFileSync(file, `${name}\n`, { mode: 0o600 });
  return name;
}
