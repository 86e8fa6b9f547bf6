import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { OptionInvalid } from './lib/errors.js'
import type { FactorSource, Factors } from './lib/factors/contract.js'
import { createFactors } from './lib/factors/factors.js'
import { kAskFactor } from './lib/factors/hand-over.js'
import { checkFactorsOptions, checkSource, type FactorsOptions } from './lib/factors/options.js'
import { refuseLostKeys } from './lib/factors/reseal.js'
import { FactorSeal } from './lib/factors/seal.js'
import { loadTotp } from './lib/factors/totp.js'
import { claimCookieName } from './lib/http/cookie-names.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** The second factors of accounts. */
    readonly factors: Factors
  }
}

export type * from './lib/factors/contract.js'
export { isFactorName } from './lib/factors/keeper.js'
export type { FactorsOptions } from './lib/factors/options.js'

/** @throws OPTION_INVALID if the application has its own accounts and passes no source */
function sourceOf(app: FastifyInstance, { source }: FactorsOptions): FactorSource {
  if (source !== undefined) return checkSource(source)
  if (app.hasDecorator('hasOwnAccounts') && app.hasOwnAccounts) return app.accounts.factors
  throw new OptionInvalid('source', 'wants a FactorSource: the application has its own accounts')
}

/** @throws OPTION_INVALID, CONFIG_INVALID, DEPENDENCY_MISSING, STORE_UNAVAILABLE, all at boot */
async function factorsPlugin(app: FastifyInstance, options: FactorsOptions): Promise<void> {
  const settings = checkFactorsOptions(options)
  const source = sourceOf(app, options)
  claimCookieName(app, 'pendingName', settings.spec)
  const keys = app.keyRing.purpose('factor')
  await refuseLostKeys(source, keys)
  const seal = new FactorSeal(keys)
  const { factors, ask } = createFactors({ app, settings, source, seal }, await loadTotp())
  app.decorate('factors', factors)
  app.decorate(kAskFactor, ask)
  app.decorate('secondFactors', {
    has: async (accountId: string) => (await factors.kinds(accountId)).length > 0,
  })
  app.addHook('onReady', async function requireThrottle() {
    // Without the throttle, anybody who knows a password could try all codes of six digits.
    if (!app.hasDecorator('throttle')) throw new OptionInvalid('throttle', 'is missing: factors need it')
  })
}

export default fp(factorsPlugin, {
  fastify: '5.x',
  name: 'fastify-identity-factors',
  dependencies: ['fastify-identity-core', 'fastify-identity-accounts', 'fastify-identity-stores'],
})
