import type { PurposeKeys } from '../credentials/keys.js'
import { ConfigInvalid } from '../errors.js'
import type { FactorSource, Resealed } from './contract.js'
import type { FactorSeal } from './seal.js'

/** Secrets in one query. */
const BATCH = 100

/** How many secrets each key seals. */
export interface SealedBy {
  /** Under the signing key. */
  readonly current: number
  /** In the order of the ring. `place`: 2 for the second secret. */
  readonly old: readonly { readonly id: string; readonly place: number; readonly count: number }[]
  /** Under keys that are not in the ring. */
  readonly lost: readonly { readonly id: string; readonly count: number }[]
}

export async function countSealed(source: FactorSource, { signing, all }: PurposeKeys): Promise<SealedBy> {
  const counts = await source.sealedBy()
  const known = all.map(({ id }, index) => ({ id, place: index + 1, count: counts.get(id) ?? 0 }))
  const isKnown = (id: string) => known.some((key) => key.id === id)
  return {
    current: counts.get(signing.id) ?? 0,
    old: known.filter(({ id, count }) => id !== signing.id && count > 0),
    lost: [...counts].filter(([id]) => !isKnown(id)).map(([id, count]) => ({ id, count })),
  }
}

/** For operators: names the missing keys and the remedy. Null if no key is missing. */
export function lostSentence({ lost }: SealedBy): string | null {
  if (lost.length === 0) return null
  const keys = lost.map(({ id, count }) => `${id} (seals ${count})`).join(', ')
  return (
    `AUTH_SECRETS lacks a secret whose key still seals second factors: ${keys}. ` +
    'Put the old secret back behind the new one, run "fastify-identity keys reseal", and then remove the old one.'
  )
}

/**
 * Refuses to start if a key that seals secrets is not in the ring. The owners of these factors could not sign in.
 * @throws CONFIG_INVALID naming the keys
 */
export async function refuseLostKeys(source: FactorSource, keys: PurposeKeys): Promise<void> {
  const sentence = lostSentence(await countSealed(source, keys))
  if (sentence !== null) throw new ConfigInvalid(sentence)
}

interface Batch {
  readonly resealed: number
  readonly unreadable: number
  readonly size: number
}

async function resealBatch(
  source: FactorSource,
  seal: FactorSeal,
  keyId: string,
  limit: number,
): Promise<Batch> {
  const factors = await source.listSealedBy(keyId, limit)
  let [resealed, unreadable] = [0, 0]
  for (const factor of factors) {
    const secret = seal.open(factor)
    if (secret === null) unreadable += 1
    else {
      const { secret: sealed, keyId: signing } = seal.seal(factor, secret)
      // False if the factor was used meanwhile. That use, or the next batch, seals it again.
      if (await source.reseal(factor, sealed, signing)) resealed += 1
    }
  }
  return { resealed, unreadable, size: factors.length }
}

/**
 * Seals all secrets with the signing key. May run beside the server, and may be interrupted and repeated.
 * @param onProgress how many are done so far
 */
export async function resealAll(
  source: FactorSource,
  seal: FactorSeal,
  onProgress: (resealed: number) => void = () => {},
): Promise<Resealed> {
  let [resealed, altered] = [0, 0]
  for (const { id } of (await countSealed(source, seal.keys)).old) {
    let unreadable = 0
    for (;;) {
      // Each batch contains the unreadable secrets of the batches before.
      const limit = BATCH + unreadable
      const batch = await resealBatch(source, seal, id, limit)
      unreadable = batch.unreadable
      resealed += batch.resealed
      if (batch.resealed > 0) onProgress(resealed)
      if (batch.size === unreadable && batch.size < limit) break
    }
    altered += unreadable
  }
  return { resealed, altered }
}
