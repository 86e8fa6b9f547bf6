import { createHmac, timingSafeEqual } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Answered, Browser } from './browser.js'
import { credentialsOf, USER } from './people.js'
import type { Text } from './text.js'

const NAME = 'tutorial'

/** The username in a cookie whose signature fits, or null. */
function usernameOf({ headers }: FastifyRequest, sign: (payload: string) => string): string | null {
  const [, payload = '', mac = ''] = /(?:^|; )tutorial=([\w-]+)\.([\w-]+)/.exec(headers.cookie ?? '') ?? []
  const [expected, given] = [Buffer.from(sign(payload)), Buffer.from(mac)]
  if (expected.length !== given.length || !timingSafeEqual(expected, given)) return null
  return Buffer.from(payload, 'base64url').toString()
}

/**
 * The server of many tutorials: a signed cookie, and a logout that only asks the browser to drop it. Two servers with
 * the same secret accept each other's cookies. In the lab only.
 */
export const carelessRoutes =
  (secret: string) =>
  (app: FastifyInstance): void => {
    const sign = (payload: string) => createHmac('sha256', secret).update(payload).digest('base64url')
    const payload = Buffer.from(USER.username).toString('base64url')
    app.post('/tutorial/login', async (_request, reply) => {
      reply.header('set-cookie', `${NAME}=${payload}.${sign(payload)}; Path=/; HttpOnly; SameSite=Lax`)
      return { hello: USER.username }
    })
    app.post('/tutorial/logout', async (_request, reply) => {
      reply.header('set-cookie', `${NAME}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0`)
      return { hello: 'stranger' }
    })
    app.get('/tutorial/me', async (request, reply) => {
      const hello = usernameOf(request, sign)
      return hello === null ? reply.code(403).send({ error: 'NOT_SIGNED_IN' }) : { hello }
    })
  }

/** Signs in there. @returns the cookie's value */
export async function signInCarelessly(browser: Browser): Promise<string> {
  await browser.send({
    title: { en: 'Sign in at the tutorial’s server', zh: '在教程的服务器上登录' },
    method: 'POST',
    path: '/tutorial/login',
    body: credentialsOf(USER),
  })
  return browser.cookies.get(NAME)?.value ?? ''
}

export function signOutCarelessly(browser: Browser): Promise<Answered> {
  const title: Text = { en: 'Sign out at the tutorial’s server', zh: '在教程的服务器上退出登录' }
  return browser.send({ title, method: 'POST', path: '/tutorial/logout' })
}

/** The header that carries a copy of its cookie. */
export const carryCareless = (value: string) => ({ cookie: `${NAME}=${value}` })
