/** The processes of a stack, found by the data folder in their environment (Linux's /proc). */
import { readdirSync, readFileSync } from 'node:fs';

export interface Process {
  pid: number;
  command: string;
}

/** All living processes that were started for the data folder, this one excepted. */
export function processesOf(home: string): Process[] {
  const pids = readdirSync('/proc').map(Number).filter(Number.isInteger);
  return pids.flatMap((pid) => {
    try {
      const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
      if (pid === process.pid || !environment.includes(`ANNEAL_HOME=${home}`)) return [];
      return [{ pid, command: readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim() }];
    } catch {
      return []; // gone meanwhile, or somebody else's
    }
  });
}
