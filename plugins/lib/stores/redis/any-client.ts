/**
 * A client of ioredis, `Redis` or `Cluster`, described without the types of that package: an application that uses
 * no Redis need not have it.
 */
export interface AnyRedisClient {
  readonly status: string
  readonly options: object
  evalsha(sha: string, keys: number, ...args: (string | number)[]): Promise<unknown>
  duplicate(): AnyRedisClient
  disconnect(): void
}
