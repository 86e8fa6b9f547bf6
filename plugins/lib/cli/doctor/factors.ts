import type { Kysely } from 'kysely'
import { createFactorSource } from '../../accounts/factors.js'
import type { Config } from '../../config/config.js'
import { createKeyRing } from '../../credentials/keys.js'
import type { Tables } from '../../database/tables.js'
import { countSealed, lostSentence } from '../../factors/reseal.js'
import { type Finding, fault, ok, warning } from './check.js'

const SUBJECT = 'AUTH_SECRETS'

/** Counts the secrets of second factors that each of `AUTH_SECRETS` seals. */
export async function checkFactors(
  db: Kysely<Tables>,
  { secrets }: Pick<Config, 'secrets'>,
): Promise<readonly Finding[]> {
  const tables = await db.introspection.getTables()
  // The next start creates the table.
  if (secrets === null || !tables.some(({ name }) => name === 'factors')) return []
  const counts = await countSealed(createFactorSource(db), createKeyRing(secrets).purpose('factor'))
  const lost = lostSentence(counts)
  const old = counts.old.map(({ place, count }) =>
    warning(
      SUBJECT,
      `Secret number ${place} still seals ${count} second factors. Before you remove it, run: fastify-identity keys reseal`,
    ),
  )
  const current =
    counts.current > 0 ? [ok(SUBJECT, `The first secret seals ${counts.current} second factors.`)] : []
  return [...current, ...old, ...(lost === null ? [] : [fault(SUBJECT, lost)])]
}
