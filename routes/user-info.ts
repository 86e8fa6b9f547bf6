import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Identity, MaybePromise } from 'fastify-identity'
import { AvatarCache } from './avatar-cache.js'
import { type Answer, answer } from './http/answer.js'

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

/** Who am I, and how was I recognised? A credential that is bad does not stop the search here. */
export async function userInfoRoutes(app: FastifyInstance): Promise<void> {
  const preHandler = app.guard({ onRefused: 'next' })
  const avatars = new AvatarCache(app.accountSource)

  app.get('/user_info', { preHandler }, function userInfo(request): MaybePromise<Answer> {
    const { identity } = request
    const avatar = avatars.of(identity)
    // Neither a promise nor a closure where it is at hand, as it nearly always is.
    return typeof avatar === 'string'
      ? showCaller(request, identity, avatar)
      : showLate(request, identity, avatar)
  })
}
