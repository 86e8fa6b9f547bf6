import { Type } from '@fastify/type-provider-typebox'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { AccountEvent } from 'fastify-identity/accounts'
import type { Static } from 'typebox'
import { showAccount } from './accounts.js'
import { showKey } from './api-keys.js'
import { answer } from './http/answer.js'
import { NotFound } from './http/errors.js'
import { guardPeople } from './http/people.js'
import { AccountShown } from './openapi/account-schemas.js'
import { PEOPLE } from './openapi/failures.js'
import type { Operation } from './openapi/operation.js'
import { showSignIn } from './sign-ins.js'

const NameParams = Type.Object({ username: Type.String({ minLength: 1, maxLength: 256 }) })

const SHOW: Operation = {
  id: 'showAccount',
  tag: 'Accounts',
  summary: 'Show an account (administrators)',
  description:
    'With its sign-ins, API keys and recent audit events, the newest first. Events of other servers may come a second later.',
  guarded: 'people',
  data: AccountShown,
  says: 'ACCOUNT_SHOWN',
  refusals: [...PEOPLE, 'ROLE_REQUIRED', 'BODY_INVALID', 'NOT_FOUND'],
}

/** The shown details of an event, by their names in the audit. Others are not sent. */
const DETAILS = {
  mode: 'auth_type',
  signInId: 'sign_in_id',
  by: 'by',
  actorId: 'actor_id',
  why: 'why',
  changed: 'changed',
  to: 'to',
  role: 'role',
  what: 'what',
} as const

function showEvent({ type, time, ip, details }: AccountEvent) {
  const shown = Object.entries(DETAILS).flatMap(([name, shownAs]) =>
    details[name] === undefined ? [] : [[shownAs, details[name]]],
  )
  return { type, time: new Date(time).toISOString(), ip, ...Object.fromEntries(shown) }
}

type Showing = { Params: Static<typeof NameParams> }

async function showOne(request: FastifyRequest<Showing>) {
  const { accounts, accountEvents, apiKeys, signIns } = request.server
  const account = await accounts.findByUsername(request.params.username)
  if (!account) throw new NotFound()
  const [live, keys, events] = await Promise.all([
    signIns.list(account.id),
    apiKeys.list(account.id),
    accountEvents.recent(account.id),
  ])
  const people = live.filter(({ mode }) => mode !== 'api_key')
  const data = {
    ...showAccount(account),
    display_name: account.displayName ?? null,
    sign_ins: people.map((record) => showSignIn(record, request.identity.signInId)),
    keys: keys.map(showKey),
    events: events.map(showEvent),
  }
  return answer(request, 'ACCOUNT_SHOWN', { data })
}

/** Shows one account to administrators. Left out if the application has its own accounts. */
export async function accountRoute(app: FastifyInstance): Promise<void> {
  if (!app.hasOwnAccounts) return
  const preHandler = guardPeople(app, { role: 'admin' })
  const showing = { schema: { params: NameParams }, preHandler, config: { operation: SHOW } }
  app.get<Showing>('/accounts/:username', showing, showOne)
}
