import type { FastifyInstance } from 'fastify'
import { SignedOut } from '../plugins/lib/errors.js'
import { answer } from './answer.js'
import { initialAvatar } from './avatar.js'

/** As the guard refuses. */
const NOBODY = { statusCode: 403, headers: { 'www-authenticate': 'Bearer' } }

/** Who am I, and how was I recognised? A credential that is bad does not stop the search here. */
export async function userInfoRoutes(app: FastifyInstance): Promise<void> {
  const preHandler = app.guard({ onRefused: 'next' })

  app.get('/user_info', { preHandler }, async function userInfo(request) {
    const { accountId, username, role, mode } = request.identity
    const profile = await app.accountSource.find(accountId)
    // The account went without its sign-ins having been ended: nobody is here any more.
    if (!profile) throw Object.assign(new SignedOut(), NOBODY)
    const data = { username, role, avatar: profile.avatar ?? initialAvatar(username) }
    return answer(request, 'RECOGNISED', { auth_type: mode, data })
  })
}
