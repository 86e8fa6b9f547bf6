import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { ApiKeySource, FoundApiKey, StoredApiKey } from './lib/api-key/contract.js'
import { KeyFormat } from './lib/api-key/format.js'
import { createKeyKeeper } from './lib/api-key/keeper.js'
import { LastUse } from './lib/api-key/last-use.js'
import { type ApiKeyIssued, ApiKeyMode } from './lib/api-key/mode.js'
import {
  type ApiKeyAuthOptions,
  checkApiKeyOptions,
  checkSource,
  isKeyName,
  type NewApiKey,
} from './lib/api-key/options.js'
import { OptionInvalid } from './lib/errors.js'
import { claimBearerPrefix } from './lib/http/bearer-prefixes.js'
import { accountIdText } from './lib/options.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** The API keys of accounts, for lists. `app.signIns.end` ends one. */
    apiKeys: ApiKeys
  }
}

/** A key in a list. Nothing in it helps to compute the key. */
export type ApiKeyInfo = Omit<StoredApiKey, 'hash'>

/** Every method may throw STORE_UNAVAILABLE. */
export interface ApiKeys {
  /** The account's live keys, newest first. */
  list(accountId: string): Promise<ApiKeyInfo[]>
  /** The account's live key of this id, or null. */
  find(accountId: string, id: string): Promise<ApiKeyInfo | null>
}

export type { ApiKeyAuthOptions, ApiKeyIssued, ApiKeySource, FoundApiKey, NewApiKey, StoredApiKey }
export { isKeyName }

/** @throws OPTION_INVALID if the application has its own accounts and brings no source */
function sourceOf(app: FastifyInstance, { source }: ApiKeyAuthOptions): ApiKeySource {
  if (source !== undefined) return checkSource(source)
  if (app.hasDecorator('hasOwnAccounts') && app.hasOwnAccounts) return app.accounts.apiKeys
  throw new OptionInvalid('source', 'wants an ApiKeySource: the application has its own accounts')
}

function infoOf({ hash: _hash, ...info }: StoredApiKey): ApiKeyInfo {
  return Object.freeze(info)
}

function createApiKeys(app: FastifyInstance, source: ApiKeySource): ApiKeys {
  const list = async (accountId: string) =>
    (await source.list(accountIdText(accountId), app.identityClock())).map(infoOf)
  return Object.freeze({
    list,
    find: async (accountId: string, id: string) =>
      (await list(accountId)).find((key) => key.id === id) ?? null,
  })
}

/** @throws OPTION_INVALID */
async function apiKeyAuth(app: FastifyInstance, options: ApiKeyAuthOptions): Promise<void> {
  const settings = checkApiKeyOptions(options)
  const source = sourceOf(app, options)
  const format = new KeyFormat(settings.prefix)
  const lastUse = new LastUse({ source, clock: app.identityClock, log: app.log })
  claimBearerPrefix(app, 'keyPrefix', format.start)
  app.signIns.addKeeper(createKeyKeeper(source, lastUse, settings.ttlMax))
  app.authModes.add(new ApiKeyMode({ app, settings, format, source }))
  app.decorate('apiKeys', createApiKeys(app, source))
  app.addHook('onClose', function finishLastUse() {
    return lastUse.close()
  })
}

export default fp(apiKeyAuth, {
  fastify: '5.x',
  name: 'fastify-identity-api-key',
  dependencies: ['fastify-identity-core', 'fastify-identity-sign-ins'],
})
