import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { MaybePromise } from '../plugins/lib/contract.js'
import { whenReady } from '../plugins/lib/when-ready.js'
import { type Answer, answer } from './answer.js'
import { AvatarCache } from './avatar-cache.js'

function showCaller(request: FastifyRequest, avatar: string): Answer {
  const { username, role, mode } = request.identity
  return answer(request, 'RECOGNISED', { auth_type: mode, data: { username, role, avatar } })
}

/** Who am I, and how was I recognised? A credential that is bad does not stop the search here. */
export async function userInfoRoutes(app: FastifyInstance): Promise<void> {
  const preHandler = app.guard({ onRefused: 'next' })
  const avatars = new AvatarCache(app.accountSource)

  app.get('/user_info', { preHandler }, function userInfo(request): MaybePromise<Answer> {
    return whenReady(avatars.of(request.identity), (avatar) => showCaller(request, avatar))
  })
}
