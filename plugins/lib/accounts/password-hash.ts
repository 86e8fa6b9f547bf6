/** The cost of an argon2id hash: KiB of memory, passes, lanes. */
export interface HashCost {
  readonly memoryCost: number
  readonly timeCost: number
  readonly parallelism: number
}

/** OWASP's first choice for argon2id. */
export const HASH_COST: HashCost = Object.freeze({ memoryCost: 19456, timeCost: 2, parallelism: 1 })

/**
 * A stored hash may cost more than today's (a newer version wrote it, and was rolled back), but not so much that it
 * causes an outage: a text in the database must never decide how much memory we use. In KiB, and in passes times KiB.
 */
const MEMORY_MAX = 128 * 1024
const WORK_MAX = 4 * MEMORY_MAX
const LANES_MAX = 4

/** 16 bytes of salt and 32 of digest in unpadded base64, the unused last bits zero. */
const PHC =
  /^\$argon2id\$v=19\$m=([1-9]\d{0,9}),t=([1-9]\d{0,9}),p=([1-9]\d{0,2})\$[A-Za-z0-9+/]{21}[AQgw]\$[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]$/

/** The part before salt and digest (the PHC string format). */
export function hashPrefix({ memoryCost, timeCost, parallelism }: HashCost): string {
  return `$argon2id$v=19$m=${memoryCost},t=${timeCost},p=${parallelism}$`
}

/** The cost of a stored hash; null if it is damaged or absurd: then it matches no password. */
export function hashCost(hash: string): HashCost | null {
  const [, memoryCost, timeCost, parallelism] = (PHC.exec(hash) ?? []).map(Number)
  if (memoryCost === undefined || timeCost === undefined || parallelism === undefined) return null
  const cost = { memoryCost, timeCost, parallelism }
  const isBounded = memoryCost <= MEMORY_MAX && workOf(cost) <= WORK_MAX && parallelism <= LANES_MAX
  // RFC 9106 §3.1: 8 KiB for each lane.
  return isBounded && memoryCost >= 8 * parallelism ? cost : null
}

/** The time of a hash grows with passes times KiB. */
function workOf({ memoryCost, timeCost }: HashCost): number {
  return memoryCost * timeCost
}

/** Whether a hash of this cost is weaker than one of the other. */
export function isWeaker(cost: HashCost, than: HashCost): boolean {
  return workOf(cost) < workOf(than)
}

/** The cost of a hash that takes the difference between a full hash and a weaker one. */
export function restOf(full: HashCost, weaker: HashCost): HashCost {
  const { timeCost, parallelism } = full
  const memoryCost = Math.ceil((workOf(full) - workOf(weaker)) / timeCost)
  return { memoryCost: Math.max(memoryCost, 8 * parallelism), timeCost, parallelism }
}
