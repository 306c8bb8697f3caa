/** What trainer and job process say to each other over IPC; both sides parse. Knows no API. */
import { z } from 'zod';
import { Claim } from './operations.ts';

/** Trainer to job: everything the job needs. Sent once. */
export const Start = z.strictObject({
  api: z.strictObject({ url: z.string(), key: z.string() }),
  logLevel: z.enum(['debug', 'info', 'warn', 'error']),
  /** Training time between two saved states. */
  checkpointSeconds: z.number().min(0),
  claim: Claim,
});
export type Start = z.infer<typeof Start>;

/** Job to trainer: signs of life, and at the end one outcome. */
export const Report = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('STEP'), progress: z.number().min(0).max(1) }),
  z.strictObject({ kind: z.literal('COMPLETED'), number: z.int() }),
  z.strictObject({ kind: z.literal('FAILED'), code: z.string(), message: z.string() }),
  z.strictObject({ kind: z.literal('STALE') }),
  z.strictObject({ kind: z.literal('STOPPED_EARLY') }),
]);
export type Report = z.infer<typeof Report>;
/** How a job says that it ended. */
export type Outcome = Exclude<Report, { kind: 'STEP' }>;
