/** What an endpoint does beside predicting: changed part by part, each part as before where nothing is said. Pure. */
import { EndpointSettings, MAX_INSTANCES } from '@anneal/edge/contract';
import { z } from 'zod';

/** The settings of a revision as they are stored: what it does not say has its default. */
export function settingsOf(stored: unknown): EndpointSettings {
  return EndpointSettings.parse(stored);
}

/** PostgreSQL cannot hold NUL and halves of surrogate pairs. */
const Text = z
  .string()
  .min(1)
  .max(200)
  .refine((text) => text.isWellFormed() && !text.includes('\0'), 'expected Unicode text without NUL');
const ORIGIN = /^(?:\*|https?:\/\/[^\s/?#@]+)$/;
const Limit = (max: number) => z.int().min(1).max(max).nullish();

/** Changes to settings: what is absent stays, null is the default. */
export const SettingsChanges = z.object({
  cors: z
    .array(Text.regex(ORIGIN, 'expected an origin such as https://app.example.com, without a path, or * for all'))
    .max(20)
    .nullish(),
  logged: z.array(Text).max(5).nullish(),
  drift: z.boolean().nullish(),
  samples: z.object({ rate: z.number().min(0).max(1), retentionDays: z.int().min(1).max(90) }).nullish(),
  limits: z
    .object({
      instances: Limit(MAX_INSTANCES),
      bodyBytes: Limit(2 ** 31 - 1),
      textLength: Limit(1_000_000),
      computeMs: Limit(2 ** 31 - 1),
    })
    .nullish(),
});
export type SettingsChanges = z.output<typeof SettingsChanges>;

/** The settings with the changes. */
export function changed(before: EndpointSettings, changes: SettingsChanges): EndpointSettings {
  const { limits, ...parts } = changes;
  const all = limits === null ? {} : { ...before.limits, ...limits };
  return EndpointSettings.parse({ ...withoutNull({ ...before, ...given(parts) }), limits: withoutNull(given(all)) });
}

/** zod's default fills in what is absent, not what is null. */
const withoutNull = (of: object) => Object.fromEntries(Object.entries(of).filter(([, value]) => value !== null));
const given = (of: object) => Object.fromEntries(Object.entries(of).filter(([, value]) => value !== undefined));
