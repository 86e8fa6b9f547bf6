import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Identity, MaybePromise } from 'fastify-identity'
import { AvatarCache } from './avatar-cache.js'
import { type Answer, answer } from './http/answer.js'
import { GUARDED } from './openapi/failures.js'
import type { Operation } from './openapi/operation.js'
import { User } from './openapi/schemas.js'

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

function showCaller(request: FastifyRequest, { username, role, mode }: Identity, avatar: string): Answer {
  return answer(request, 'RECOGNISED', { auth_type: mode, data: { username, role, avatar } })
}

async function showLate(
  request: FastifyRequest,
  identity: Identity,
  avatar: Promise<string>,
): Promise<Answer> {
  return showCaller(request, identity, await avatar)
}

/** Tells the caller's account and mode. A bad credential does not stop the search here. */
export async function userInfoRoutes(app: FastifyInstance): Promise<void> {
  const preHandler = app.guard({ onRefused: 'next', scope: 'read' })
  const avatars = new AvatarCache(app.accountSource)

  app.get(
    '/user_info',
    { preHandler, config: { operation: USER_INFO } },
    function userInfo(request): MaybePromise<Answer> {
      const { identity } = request
      const avatar = avatars.of(identity)
      // A cached avatar, the usual case, costs no promise and no closure.
      return typeof avatar === 'string'
        ? showCaller(request, identity, avatar)
        : showLate(request, identity, avatar)
    },
  )
}
