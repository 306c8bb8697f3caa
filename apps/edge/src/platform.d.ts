// Modules that only a Workers bundler and runtime know.
declare module '*.wasm' {
  const module: WebAssembly.Module;
  export default module;
}

declare module 'cloudflare:workers' {
  export class DurableObject<Env> {
    constructor(ctx: import('./env.ts').DurableObjectState, env: Env);
    protected readonly ctx: import('./env.ts').DurableObjectState;
    protected readonly env: Env;
  }
}
