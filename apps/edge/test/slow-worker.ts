/** The edge with storage as slow as a network's: a load takes long enough to be met half-way. */
import type { Env, ExecutionContext, R2Bucket } from '../src/env.ts';
import edge from '../src/worker.ts';

export { Limiter, Outbox } from '../src/worker.ts';

const DELAY_MS = 400;

function slow(bucket: R2Bucket): R2Bucket {
  return new Proxy(bucket, {
    get:
      (target, name) =>
      async (...args: unknown[]) => {
        if (name === 'get') await new Promise((resolve) => setTimeout(resolve, DELAY_MS));
        return Reflect.apply(Reflect.get(target, name), target, args);
      },
  });
}

export default {
  fetch: (request: Request, env: Env, ctx: ExecutionContext) =>
    edge.fetch(request, { ...env, ARTIFACTS: slow(env.ARTIFACTS) }, ctx),
};
