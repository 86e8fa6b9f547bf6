import type { PurposeKeys } from '../credentials/keys.js'
import { ConfigInvalid } from '../errors.js'
import type { FactorSource, Resealed } from './contract.js'
import type { FactorSeal } from './seal.js'

/** How many secrets are read at once. */
const BATCH = 100

/** Which keys seal how many secrets. */
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

/** For operators: names the keys that are missing, and says what to do. Null if none is. */
export function lostSentence({ lost }: SealedBy): string | null {
  if (lost.length === 0) return null
  const keys = lost.map(({ id, count }) => `${id} (seals ${count})`).join(', ')
  return (
    `AUTH_SECRETS lacks a secret whose key still seals second factors: ${keys}. ` +
    'Put the old secret back behind the new one, run "fastify-identity keys reseal", and then remove it.'
  )
}

/**
 * Refuses to start if secrets were sealed by a key that is not in the ring: their owners could not sign in any more.
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
      // False if it was used meanwhile: then that use has sealed it again, or the next batch does.
      if (await source.reseal(factor, sealed, signing)) resealed += 1
    }
  }
  return { resealed, unreadable, size: factors.length }
}

/**
 * Seals all secrets under the signing key. May run beside the server, be killed, and run again.
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
      // The unreadable ones come again with each batch.
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
