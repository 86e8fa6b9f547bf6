/** How long a replica may not have been heard of until it does not keep up any more, in seconds. */
const LAG_MAX = 2

/** What a primary says of itself, or what it owes. */
export interface Attached {
  /** Names the primary: one that was promoted has another name. Empty for one that may not be asked. */
  readonly primary: string
  readonly replicas: number
}

/**
 * Reads `INFO replication`. Counts those that keep up: one that is still being sent everything, or is silent,
 * cannot confirm anything.
 */
export function readAttached(info: string): Attached {
  const lags = [...info.matchAll(/^slave\d+:.*state=online,offset=[1-9]\d*,lag=(\d+)/gm)]
  return {
    primary: /^master_replid:(\w+)/m.exec(info)?.[1] ?? '',
    replicas: lags.filter(([, lag]) => Number(lag) <= LAG_MAX).length,
  }
}

/**
 * How many replicas each primary had lately. One that has left may have been promoted: what the old primary stores
 * from then on is lost, while the sentinels go on naming it, for seconds.
 */
export class AttachedReplicas {
  readonly #missedFor: number
  readonly #clock: () => number
  /** By primary: a client that is led back to an old one finds what that one owes. */
  readonly #most = new Map<string, { readonly replicas: number; readonly at: number }>()

  /**
   * @param missedFor how long a replica that has left still counts, in ms
   * @param clock monotonic, in ms
   */
  constructor(missedFor: number, clock = () => performance.now()) {
    this.#missedFor = missedFor
    this.#clock = clock
  }

  /** @returns how many must confirm there */
  note({ primary, replicas }: Attached): Attached {
    const now = this.#clock()
    for (const [name, { at }] of this.#most) {
      if (now - at >= this.#missedFor) this.#most.delete(name)
    }
    const most = this.#most.get(primary)?.replicas ?? 0
    if (replicas < most) return { primary, replicas: most }
    this.#most.set(primary, { replicas, at: now })
    return { primary, replicas }
  }
}
