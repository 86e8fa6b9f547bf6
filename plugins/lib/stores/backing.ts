import type { AnyRedisClient } from './redis/any-client.js'

/** What a store keeps its state in, for others who keep theirs beside it. */
export type StateBacking =
  /** This process; or a store of the application's own, of which nothing is known. */
  | { readonly kind: 'process' }
  | { readonly kind: 'sqlite'; readonly dataDir: string }
  /** `commandTimeout` is in ms. */
  | { readonly kind: 'redis'; readonly client: AnyRedisClient; readonly commandTimeout: number }
