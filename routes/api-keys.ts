import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { ApiKeyInfo } from 'fastify-identity'
import { isKeyName } from 'fastify-identity/api-key-auth'
import { type Static, Type } from 'typebox'
import { answer } from './http/answer.js'
import { BodyInvalid, NotFound } from './http/errors.js'
import { liveAccount } from './http/live-account.js'
import { guardPeople, guardRecently } from './http/people.js'
import { BODY, PEOPLE, UNSAFE } from './openapi/failures.js'
import { ApiKeyMade, ApiKeys } from './openapi/key-schemas.js'
import type { Operation } from './openapi/operation.js'
import { Ended } from './openapi/schemas.js'

export interface ApiKeyRoutesOptions {
  /** The longest lifetime of a key, in seconds. */
  readonly apiKeyTtlMax: number
}

/** `read`: what a GET answers. `write`: what changes something. */
const SCOPES = ['read', 'write'] as const
const Scope = Type.Union([Type.Literal('read'), Type.Literal('write')])

const newKey = (ttlMax: number) =>
  Type.Object(
    {
      name: Type.String({ minLength: 1, maxLength: 100 }),
      expires_in: Type.Optional(Type.Integer({ minimum: 1, maximum: ttlMax, description: 'Seconds.' })),
      scopes: Type.Optional(Type.Array(Scope, { minItems: 1, maxItems: 2, uniqueItems: true })),
    },
    { additionalProperties: false },
  )
const IdParams = Type.Object({ id: Type.String({ minLength: 1, maxLength: 64 }) })

const iso = (time: number) => new Date(time).toISOString()

/** Field by field, so that a new field of the key is not sent by accident. */
export function showKey({ id, name, scopes, createdAt, lastUsedAt, expiresAt }: ApiKeyInfo) {
  return {
    id,
    name,
    scopes,
    created_at: iso(createdAt),
    last_used_at: lastUsedAt === null ? null : iso(lastUsedAt),
    expires_at: iso(expiresAt),
  }
}

const MAKE: Operation = {
  id: 'makeApiKey',
  tag: 'API keys',
  summary: 'Make an API key',
  description:
    'For a person who has signed in within the last ten minutes. The answer is the only one that contains the key. By default the key has both scopes, and expires after 90 days. A browser whose sign-in is bound to its device is first redirected to the same address (307), to prove the device again.',
  guarded: 'people',
  isProved: true,
  status: 201,
  data: ApiKeyMade,
  says: 'API_KEY_MADE',
  bodyExample: { name: 'nightly backup', scopes: ['read'], expires_in: 2_592_000 },
  refusals: [...UNSAFE, ...BODY, 'SIGN_IN_TOO_OLD', 'API_KEY_LIMIT'],
}

const LIST: Operation = {
  id: 'listApiKeys',
  tag: 'API keys',
  summary: 'List your API keys',
  description: 'Newest first. They are in the list of sign-ins too.',
  guarded: 'people',
  data: ApiKeys,
  says: 'API_KEYS_LISTED',
  refusals: PEOPLE,
}

const END: Operation = {
  id: 'endApiKey',
  tag: 'API keys',
  summary: 'End one of your API keys',
  guarded: 'people',
  data: Ended,
  says: 'ENDED',
  refusals: [...UNSAFE, 'BODY_INVALID', 'NOT_FOUND'],
}

interface Making {
  Body: Static<ReturnType<typeof newKey>>
}
interface Ending {
  Params: Static<typeof IdParams>
}

async function makeApiKey(request: FastifyRequest<Making>, reply: FastifyReply) {
  const { name, expires_in: expiresIn, scopes = SCOPES } = request.body
  if (!isKeyName(name) || name.trim() === '') throw new BodyInvalid()
  const account = await liveAccount(request)
  const apiKey = { name, scopes, ...(expiresIn === undefined ? {} : { expiresIn }) }
  // Every key counts: an ended one is remembered until it would have expired.
  const make = () => request.signIn('api_key', account, { apiKey })
  const made = await request.server.throttle.byAddress(request, 'api_key', make, 'all')
  const data = { id: made.id, key: made.key, name, scopes: made.scopes, expires_at: iso(made.expiresAt) }
  reply.code(201)
  return answer(request, 'API_KEY_MADE', { code: 201, data })
}

async function listApiKeys(request: FastifyRequest) {
  const keys = await request.server.apiKeys.list(request.identity.accountId)
  return answer(request, 'API_KEYS_LISTED', { data: keys.map(showKey) })
}

async function endApiKey(request: FastifyRequest<Ending>) {
  const { apiKeys, signIns } = request.server
  const { accountId } = request.identity
  const { id } = request.params
  // The answer is the same for another account's key and for an unknown id.
  if (!(await apiKeys.find(accountId, id))) throw new NotFound()
  const ending = { by: 'owner', why: 'asked', actorId: accountId, request } as const
  await signIns.end({ accountId, signInId: id }, ending)
  return answer(request, 'ENDED', { data: { ended: 1 } })
}

/** Makes, lists and ends API keys. None of it can be done with an API key. */
export async function apiKeyRoutes(
  app: FastifyInstance,
  { apiKeyTtlMax }: ApiKeyRoutesOptions,
): Promise<void> {
  const preHandler = guardPeople(app)
  const making = {
    schema: { body: newKey(apiKeyTtlMax) },
    ...guardRecently(app),
    config: { operation: MAKE },
  }
  app.post<Making>('/api_keys', making, makeApiKey)
  app.get('/api_keys', { preHandler, config: { operation: LIST } }, listApiKeys)
  const ending = { schema: { params: IdParams }, preHandler, config: { operation: END } }
  app.delete<Ending>('/api_keys/:id', ending, endApiKey)
}
