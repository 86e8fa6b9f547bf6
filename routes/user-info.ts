import { Type } from '@fastify/type-provider-typebox'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Identity, MaybePromise } from 'fastify-identity'
import type { Static } from 'typebox'
import { type Answer, answer } from './http/answer.js'
import { endedMeanwhile } from './http/failures.js'
import { BODY, GUARDED } from './openapi/failures.js'
import type { Operation } from './openapi/operation.js'
import { ProfileChanged, User } from './openapi/schemas.js'
import { ProfileCache, type ShownProfile } from './profile-cache.js'

/** `setDisplayName` checks the name. This bound only limits the work. */
const Change = Type.Object(
  { display_name: Type.Union([Type.String({ maxLength: 256 }), Type.Null()]) },
  { additionalProperties: false },
)

const USER_INFO: Operation = {
  id: 'userInfo',
  tag: 'Who am I',
  summary: 'Get the caller’s account and mode',
  description:
    'Tries API key, token, session and cookie, in this order. A bad credential does not end the search.',
  guarded: true,
  data: User,
  authType: 'any',
  says: 'RECOGNISED',
  refusals: GUARDED,
}

const CHANGE: Operation = {
  id: 'changeProfile',
  tag: 'Who am I',
  summary: 'Change your display name',
  description:
    'Null removes it. A name is kept in NFC, without spaces around it. Every server shows it within a second.',
  guarded: true,
  data: ProfileChanged,
  authType: 'any',
  says: 'PROFILE_CHANGED',
  bodyExample: { display_name: 'Zoë Zweig' },
  refusals: [...GUARDED, ...BODY, 'CROSS_SITE', 'DISPLAY_NAME_INVALID'],
}

function showCaller(request: FastifyRequest, { username, role, mode }: Identity, profile: ShownProfile) {
  return answer(request, 'RECOGNISED', { auth_type: mode, data: { username, role, ...profile } })
}

async function showLate(request: FastifyRequest, identity: Identity, profile: Promise<ShownProfile>) {
  return showCaller(request, identity, await profile)
}

function tellChange(request: FastifyRequest): void {
  const { accountId } = request.identity
  const by = { by: 'owner', actorId: accountId } as const
  request.server.audit.emit({ type: 'profile_changed', accountId, changed: 'display_name', ...by }, request)
}

/** Tells and changes the caller's account. A bad credential does not stop the search of `GET /user_info`. */
export async function userInfoRoutes(app: FastifyInstance): Promise<void> {
  const preHandler = app.guard({ onRefused: 'next', scope: 'read' })
  const events = app.hasOwnAccounts ? app.accountEvents : null
  const profiles = new ProfileCache({ accounts: app.accountSource, events })

  app.get(
    '/user_info',
    { preHandler, config: { operation: USER_INFO } },
    function userInfo(request): MaybePromise<Answer> {
      const { identity } = request
      const profile = profiles.of(identity)
      // A cached profile, the usual case, costs no promise and no closure.
      return profile instanceof Promise
        ? showLate(request, identity, profile)
        : showCaller(request, identity, profile)
    },
  )

  if (!app.hasOwnAccounts) return
  const write = app.guard({ scope: 'write' })
  app.patch<{ Body: Static<typeof Change> }>(
    '/user_info',
    { schema: { body: Change }, preHandler: write, config: { operation: CHANGE } },
    async function changeProfile(request) {
      const { identity } = request
      const changed = await app.accounts.setDisplayName(identity.accountId, request.body.display_name)
      profiles.forget(identity)
      if (!changed) throw endedMeanwhile()
      tellChange(request)
      const data = { display_name: changed.displayName ?? null }
      return answer(request, 'PROFILE_CHANGED', { auth_type: identity.mode, data })
    },
  )
}
