/** In seconds. A replica that has been silent for longer does not keep up. */
const LAG_MAX = 2

/** A primary and the number of its replicas, or of those that must confirm. */
export interface Attached {
  /** The primary's name. A promoted replica has another one. Empty if the ACL forbids the question. */
  readonly primary: string
  readonly replicas: number
}

/** Reads `INFO replication`. Counts only replicas that keep up: a silent or loading one cannot confirm anything. */
export function readAttached(info: string): Attached {
  const lags = [...info.matchAll(/^slave\d+:.*state=online,offset=[1-9]\d*,lag=(\d+)/gm)]
  return {
    primary: /^master_replid:(\w+)/m.exec(info)?.[1] ?? '',
    replicas: lags.filter(([, lag]) => Number(lag) <= LAG_MAX).length,
  }
}

/**
 * How many replicas each primary had lately. A replica that has left may have been promoted. Then the old primary's new
 * writes are lost, although the sentinels still name it for seconds.
 */
export class AttachedReplicas {
  readonly #missedFor: number
  readonly #clock: () => number
  /** Keyed by primary, because a client may return to an old one. */
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
