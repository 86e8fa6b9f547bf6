import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { FactorInfo } from 'fastify-identity/factors'
import { type Static, Type } from 'typebox'
import { answer } from '../http/answer.js'
import { NotFound } from '../http/errors.js'
import { liveAccount } from '../http/live-account.js'
import { noticeByMail } from '../http/mail-notice.js'
import { guardPeople, guardRecently } from '../http/people.js'
import { Factor, FactorList, RecoveryCodes } from '../openapi/factor-schemas.js'
import { BODY, PEOPLE, RECENT } from '../openapi/failures.js'
import type { Operation } from '../openapi/operation.js'
import { checkFactorName, FactorName } from './proof.js'

const IdParams = Type.Object({ id: Type.String({ minLength: 1, maxLength: 64 }) })
const Naming = Type.Object({ name: FactorName }, { additionalProperties: false })

const iso = (time: number) => new Date(time).toISOString()

/** Names each field, so that no new field of the factor is sent by accident. */
export function showFactor({ id, kind, name, createdAt, lastUsedAt, left }: FactorInfo) {
  const times = { created_at: iso(createdAt), last_used_at: lastUsedAt === null ? null : iso(lastUsedAt) }
  // JSON leaves out undefined.
  return { id, kind, name, ...times, left }
}

/** With this many recovery codes or fewer, the answer to a login says how many are left. */
const FEW = 3

/** For the answer to a login: the number of recovery codes left, if it is small. */
export function fewCodesLeft(factors: readonly FactorInfo[]): number | undefined {
  const left = factors.find(({ kind }) => kind === 'recovery_code')?.left
  return left !== undefined && left <= FEW ? left : undefined
}

const LIST: Operation = {
  id: 'listFactors',
  tag: 'Second factors',
  summary: 'List your second factors',
  description:
    'Oldest first. All recovery codes are one factor, which comes last. Its field left is the number of unused codes.',
  guarded: 'people',
  data: FactorList,
  says: 'FACTORS_LISTED',
  refusals: PEOPLE,
}

const RENAME: Operation = {
  id: 'renameFactor',
  tag: 'Second factors',
  summary: 'Rename one of your second factors',
  guarded: 'people',
  isProved: true,
  data: Factor,
  says: 'FACTOR_RENAMED',
  bodyExample: { name: 'The phone in the drawer' },
  refusals: [...RECENT, ...BODY, 'NOT_FOUND'],
}

const REMOVE: Operation = {
  id: 'removeFactor',
  tag: 'Second factors',
  summary: 'Remove one of your second factors',
  description: 'Removing the last other factor also removes the recovery codes. No sign-in ends.',
  guarded: 'people',
  isProved: true,
  says: 'FACTOR_REMOVED',
  refusals: [...RECENT, 'BODY_INVALID', 'NOT_FOUND'],
}

const NEW_CODES: Operation = {
  id: 'makeRecoveryCodes',
  tag: 'Second factors',
  summary: 'Make new recovery codes',
  description: 'Ten codes, for an account with a second factor. The old codes are void.',
  guarded: 'people',
  isProved: true,
  data: RecoveryCodes,
  says: 'RECOVERY_CODES_MADE',
  refusals: [...RECENT, ...BODY, 'NOT_FOUND'],
}

interface OfOne {
  Params: Static<typeof IdParams>
}
interface Renaming extends OfOne {
  Body: Static<typeof Naming>
}

async function listFactors(request: FastifyRequest) {
  const factors = await request.server.factors.list(request.identity.accountId)
  return answer(request, 'FACTORS_LISTED', { data: factors.map(showFactor) })
}

async function renameFactor(request: FastifyRequest<Renaming>) {
  const { factors } = request.server
  const { name } = request.body
  checkFactorName(name)
  const { id: accountId } = await liveAccount(request)
  const { id } = request.params
  // The answer is the same for another account's factor and for an unknown id.
  if (!(await factors.rename(accountId, id, name, request))) throw new NotFound()
  const renamed = (await factors.list(accountId)).find((factor) => factor.id === id)
  if (!renamed) throw new NotFound()
  await noticeByMail(request, { accountId, what: 'factor_renamed' })
  return answer(request, 'FACTOR_RENAMED', { data: showFactor(renamed) })
}

async function removeFactor(request: FastifyRequest<OfOne>) {
  const { id: accountId } = await liveAccount(request)
  if (!(await request.server.factors.remove(accountId, request.params.id, request))) throw new NotFound()
  await noticeByMail(request, { accountId, what: 'factor_removed' })
  return answer(request, 'FACTOR_REMOVED')
}

/** Refuses an account without another factor: recovery codes alone are no second factor. */
async function makeRecoveryCodes(request: FastifyRequest) {
  const { factors } = request.server
  const { id: accountId } = await liveAccount(request)
  if ((await factors.kinds(accountId)).length === 0) throw new NotFound()
  const recovery_codes = await factors.newRecoveryCodes(accountId, request)
  await noticeByMail(request, { accountId, what: 'factor_added' })
  return answer(request, 'RECOVERY_CODES_MADE', { data: { recovery_codes } })
}

/** Lists, renames and removes the caller's factors. Refuses API keys. */
export async function factorRoutes(app: FastifyInstance): Promise<void> {
  const recently = guardRecently(app)
  const listing = { preHandler: guardPeople(app), config: { operation: LIST } }
  const renaming = { schema: { params: IdParams, body: Naming }, ...recently, config: { operation: RENAME } }
  const removing = { schema: { params: IdParams }, ...recently, config: { operation: REMOVE } }
  app.get('/factors', listing, listFactors)
  app.patch<Renaming>('/factors/:id', renaming, renameFactor)
  app.delete<OfOne>('/factors/:id', removing, removeFactor)
  app.post('/factors/recovery_codes', { ...recently, config: { operation: NEW_CODES } }, makeRecoveryCodes)
}
