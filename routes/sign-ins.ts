import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { SignInRecord } from 'fastify-identity'
import { tellOnceStored } from 'fastify-identity/accounts'
import { isBound, tellEnded } from 'fastify-identity/sign-ins'
import { type Static, Type } from 'typebox'
import { answer, forgetOwn } from './http/answer.js'
import { NotFound } from './http/errors.js'
import { guardPeople } from './http/people.js'
import { GUARDED, UNSAFE } from './openapi/failures.js'
import type { Operation } from './openapi/operation.js'
import { Ended, SignIns } from './openapi/schemas.js'

const IdParams = Type.Object({ id: Type.String({ minLength: 1, maxLength: 64 }) })
const EndQuery = Type.Object(
  { except: Type.Optional(Type.Literal('current')) },
  { additionalProperties: false },
)
/** The default and the maximum of a page. */
const PAGE = 100
/** All values of a query are text. */
const ListQuery = Type.Object(
  {
    limit: Type.Optional(Type.String({ pattern: '^([1-9][0-9]?|100)$' })),
    after: Type.Optional(Type.String({ pattern: '^[0-9a-z]{1,11}\\.[\\w-]{1,64}$' })),
  },
  { additionalProperties: false },
)
const NameParams = Type.Object({ username: Type.String({ minLength: 1, maxLength: 256 }) })

const iso = (time: number) => new Date(time).toISOString()

/** A sign-in as its owner sees it. It contains no credential. */
export function showSignIn(record: SignInRecord, currentId: string) {
  return {
    id: record.id,
    auth_type: record.mode,
    created_at: iso(record.createdAt),
    last_seen_at: iso(record.lastSeenAt),
    expires_at: iso(Math.min(record.idleExpiresAt, record.absoluteExpiresAt)),
    ip: record.ip,
    user_agent: record.userAgent,
    bound: isBound(record),
    factors: (record.factors ?? []).map(({ method }) => method),
    current: record.id === currentId,
  }
}

const LIST: Operation = {
  id: 'listSignIns',
  tag: 'Sign-ins',
  summary: 'List your sign-ins',
  description: 'Newest first, a page at a time.',
  guarded: true,
  data: SignIns,
  isPaged: true,
  says: 'LISTED',
  refusals: [...GUARDED, 'BODY_INVALID'],
}

const END_ONE: Operation = {
  id: 'endSignIn',
  tag: 'Sign-ins',
  summary: 'End one of your sign-ins',
  guarded: 'people',
  data: Ended,
  says: 'ENDED',
  refusals: [...UNSAFE, 'BODY_INVALID', 'NOT_FOUND'],
}

const END_ALL: Operation = {
  id: 'endSignIns',
  tag: 'Sign-ins',
  summary: 'Sign out everywhere, or everywhere else',
  description: 'With `except=current`, API keys live on as well.',
  guarded: 'people',
  data: Ended,
  says: 'ENDED',
  refusals: [...UNSAFE, 'BODY_INVALID'],
}

const END_OF_ACCOUNT: Operation = {
  id: 'endSignInsOfAccount',
  tag: 'Accounts',
  summary: 'End all sign-ins of an account (administrators)',
  guarded: 'people',
  data: Ended,
  says: 'ENDED',
  refusals: [...UNSAFE, 'ROLE_REQUIRED', 'BODY_INVALID', 'NOT_FOUND'],
}

interface Listing {
  Querystring: Static<typeof ListQuery>
}
interface EndingOne {
  Params: Static<typeof IdParams>
}
interface EndingAll {
  Querystring: Static<typeof EndQuery>
}
interface EndingOfAccount {
  Params: Static<typeof NameParams>
}

async function listSignIns(request: FastifyRequest<Listing>) {
  const { accountId, signInId } = request.identity
  const { limit = String(PAGE), after } = request.query
  const page = { limit: Number(limit), after }
  const { signIns, next } = await request.server.signIns.page(accountId, page)
  return {
    ...answer(request, 'LISTED', { data: signIns.map((record) => showSignIn(record, signInId)) }),
    next,
  }
}

async function endSignIn(request: FastifyRequest<EndingOne>, reply: FastifyReply) {
  const { signIns } = request.server
  const { accountId, signInId } = request.identity
  const { id } = request.params
  // The answer is the same for another account's sign-in and for an unknown id.
  if (!(await signIns.find(accountId, id))) throw new NotFound()
  const by = id === signInId ? 'self' : 'owner'
  await signIns.end({ accountId, signInId: id }, { by, why: 'asked', actorId: accountId, request })
  if (id === signInId) forgetOwn(request, reply)
  return answer(request, 'ENDED', { data: { ended: 1 } })
}

async function endSignIns(request: FastifyRequest<EndingAll>, reply: FastifyReply) {
  const { accountId, signInId } = request.identity
  const except = request.query.except ? signInId : undefined
  const ending = { by: 'owner', why: 'asked', actorId: accountId, request } as const
  const ended = await request.server.signIns.endAll(accountId, except, ending)
  if (!except) forgetOwn(request, reply)
  return answer(request, 'ENDED', { data: { ended } })
}

/**
 * Ends all sign-ins of an account, for an administrator.
 * @returns how many there were
 */
export async function endAllOf(request: FastifyRequest, accountId: string): Promise<number> {
  const { accounts, signIns, audit } = request.server
  const live = await signIns.list(accountId)
  const ending = { by: 'admin', why: 'asked', actorId: request.identity.accountId, request } as const
  // Raises the epoch instead of ending each record. That also ends a sign-in that begins at this moment.
  await tellOnceStored(accounts.raiseEpoch(accountId), () => {
    for (const { id } of live) tellEnded(audit, { accountId, signInId: id }, ending)
  })
  return live.length
}

async function endSignInsOfAccount(request: FastifyRequest<EndingOfAccount>, reply: FastifyReply) {
  const account = await request.server.accounts.findByUsername(request.params.username)
  if (!account) throw new NotFound()
  const ended = await endAllOf(request, account.id)
  if (account.id === request.identity.accountId) forgetOwn(request, reply)
  return answer(request, 'ENDED', { data: { ended } })
}

/** Lists and ends sign-ins. */
export async function signInRoutes(app: FastifyInstance): Promise<void> {
  const read = app.guard({ scope: 'read' })
  const people = guardPeople(app)
  const admin = guardPeople(app, { role: 'admin' })
  const listing = { schema: { querystring: ListQuery }, preHandler: read, config: { operation: LIST } }
  const endingOne = { schema: { params: IdParams }, preHandler: people, config: { operation: END_ONE } }
  const endingAll = { schema: { querystring: EndQuery }, preHandler: people, config: { operation: END_ALL } }
  const ofAccount = {
    schema: { params: NameParams },
    preHandler: admin,
    config: { operation: END_OF_ACCOUNT },
  }
  app.get<Listing>('/sign_ins', listing, listSignIns)
  app.delete<EndingOne>('/sign_ins/:id', endingOne, endSignIn)
  app.delete<EndingAll>('/sign_ins', endingAll, endSignIns)
  app.delete<EndingOfAccount>('/accounts/:username/sign_ins', ofAccount, endSignInsOfAccount)
}
