/**
 * A client of ioredis, `Redis` or `Cluster`, described without the types of that package: an application that uses
 * no Redis need not install it.
 */
export interface AnyRedisClient {
  readonly status: string
  readonly options: object
  evalsha(sha: string, keys: number, ...args: (string | number)[]): Promise<unknown>
  duplicate(): AnyRedisClient
  disconnect(): void
}

/** Where a store keeps its state, for plugins that keep further state there. */
export type StateBacking =
  /** In this process, or in an application's own store. */
  | { readonly kind: 'process' }
  | { readonly kind: 'sqlite'; readonly dataDir: string }
  /** `commandTimeout` is in ms. */
  | { readonly kind: 'redis'; readonly client: AnyRedisClient; readonly commandTimeout: number }
