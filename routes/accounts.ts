import { Type, type TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance, FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import {
  type AccountChange,
  type AccountDetails,
  canonicalUsername,
  tellOnceStored,
} from 'fastify-identity/accounts'
import type { Static } from 'typebox'
import { answer, forgetOwn } from './http/answer.js'
import { BodyInvalid, NotFound } from './http/errors.js'
import { guardPeople } from './http/people.js'
import { BODY, PEOPLE, UNSAFE } from './openapi/failures.js'
import type { Operation } from './openapi/operation.js'
import { Account, AccountPage } from './openapi/schemas.js'

const PAGE = 50

/** All values of a query are text. */
const ListQuery = Type.Object(
  {
    limit: Type.Optional(Type.String({ pattern: '^([1-9][0-9]?|100)$' })),
    after: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
    username: Type.Optional(Type.String({ maxLength: 256 })),
  },
  { additionalProperties: false },
)
const NameParams = Type.Object({ username: Type.String({ minLength: 1, maxLength: 256 }) })
const Change = Type.Object(
  {
    role: Type.Optional(Type.Union([Type.Literal('admin'), Type.Literal('user')])),
    disabled: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false, minProperties: 1 },
)

/** Field by field, so that a new column is not sent by accident. */
export function showAccount({ id, username, role, disabled, createdAt, updatedAt }: AccountDetails) {
  return {
    id,
    username,
    role,
    disabled,
    created_at: new Date(createdAt).toISOString(),
    updated_at: new Date(updatedAt).toISOString(),
  }
}

/** @throws BODY_INVALID if it is not a valid username */
function parseAfter(after: string | undefined): string | null {
  if (after === undefined) return null
  const canonical = canonicalUsername(after)
  if (canonical === null) throw new BodyInvalid()
  return canonical
}

/** One event for each changed field, since an audit trail is searched by field. */
function tellChanges(request: FastifyRequest, accountId: string, { role, disabled }: AccountChange): void {
  const by = { accountId, by: 'admin', actorId: request.identity.accountId } as const
  const tell = (changed: 'role' | 'disabled', to: string | boolean) =>
    request.server.audit.emit({ type: 'account_changed', changed, to, ...by }, request)
  if (role !== undefined) tell('role', role)
  if (disabled !== undefined) tell('disabled', disabled)
}

const LIST: Operation = {
  id: 'listAccounts',
  tag: 'Accounts',
  summary: 'List accounts (administrators)',
  description:
    'Sorted by name, a page at a time. `username` filters by the beginning of the name, in any spelling.',
  guarded: 'people',
  data: AccountPage,
  says: 'ACCOUNTS_LISTED',
  refusals: [...PEOPLE, 'ROLE_REQUIRED', 'BODY_INVALID'],
}

const CHANGE: Operation = {
  id: 'changeAccount',
  tag: 'Accounts',
  summary: 'Change the role of an account, disable or enable it (administrators)',
  description:
    'Ends every sign-in of the account. The last administrator can be neither demoted nor disabled. A browser whose sign-in is bound to its device must prove the device again (307) before it makes an administrator or enables an account.',
  guarded: 'people',
  isProved: true,
  data: Account,
  says: 'ACCOUNT_CHANGED',
  bodyExample: { role: 'admin' },
  refusals: [...UNSAFE, ...BODY, 'ROLE_REQUIRED', 'NOT_FOUND', 'LAST_ADMIN'],
}

/**
 * An attacker with an administrator's copied cookie and its proof must not make their own account an administrator, which
 * would outlast both. Changes that only take rights away need no fresh proof.
 */
function proveGiving(app: FastifyInstance) {
  if (!app.hasDecorator('deviceBinding')) return []
  const prove = app.guard({ proof: 'now' })
  return [
    function proveBeforeGiving(
      request: FastifyRequest<{ Body: Static<typeof Change> }>,
      reply: FastifyReply,
      done: HookHandlerDoneFunction,
    ) {
      const { role, disabled } = request.body
      if (role === 'admin' || disabled === false) prove(request, reply, done)
      else done()
    },
  ]
}

/** Lists and changes accounts, for administrators. Left out if the application has its own accounts. */
export async function accountRoutes(scope: FastifyInstance): Promise<void> {
  if (!scope.hasOwnAccounts) return
  const app = scope.withTypeProvider<TypeBoxTypeProvider>()
  const preHandler = guardPeople(app, { role: 'admin' })
  const changing = [...preHandler, ...proveGiving(app)]

  app.get(
    '/accounts',
    { schema: { querystring: ListQuery }, preHandler, config: { operation: LIST } },
    async function listAccounts(request) {
      const { limit = PAGE, after, username } = request.query
      const page = { limit: Number(limit), after: parseAfter(after), username }
      const { accounts, next } = await app.accounts.list(page)
      return answer(request, 'ACCOUNTS_LISTED', { data: { accounts: accounts.map(showAccount), next } })
    },
  )

  app.patch(
    '/accounts/:username',
    { schema: { params: NameParams, body: Change }, preHandler: changing, config: { operation: CHANGE } },
    async function changeAccount(request, reply) {
      const found = await app.accounts.findByUsername(request.params.username)
      if (!found) throw new NotFound()
      const changing = app.accounts.update(found.id, request.body)
      const account = await tellOnceStored(changing, () => tellChanges(request, found.id, request.body))
      if (!account) throw new NotFound()
      if (account.id === request.identity.accountId) forgetOwn(request, reply)
      return answer(request, 'ACCOUNT_CHANGED', { data: showAccount(account) })
    },
  )
}
