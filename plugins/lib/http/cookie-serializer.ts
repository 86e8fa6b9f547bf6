import fastifyCookie from '@fastify/cookie'
import type { FastifyInstance } from 'fastify'

/** The attributes that a cookie is set with, and must be cleared with. */
export interface CookieAttributes {
  readonly httpOnly: true
  readonly sameSite: 'lax'
  readonly path: '/'
  readonly secure: boolean
}

/** A cookie's attributes, and how long it lives: `maxAge` in seconds, or until the browser ends. */
export interface SerializedAttributes extends CookieAttributes {
  readonly maxAge?: number
  readonly expires?: Date
}

type SerializeCookie = (name: string, value: string, attributes: SerializedAttributes) => string

export const kSerializeCookie = Symbol('fastify-identity.serialize-cookie')

declare module 'fastify' {
  interface FastifyInstance {
    /** `Set-Cookie`'s text. It knows no defaults: an application's (`parseOptions`) are none of our cookies'. */
    [kSerializeCookie]: SerializeCookie
  }
}

/**
 * That of @fastify/cookie, and nothing else of it: ours are read from the header directly, and its `onSend` hook would
 * cost every request something. Where the application has registered it, its own; otherwise out of a scope that nothing
 * else is in, so that an application may still register it afterwards.
 */
export async function useCookieSerializer(app: FastifyInstance): Promise<void> {
  if (app.hasDecorator('serializeCookie')) {
    app.decorate(kSerializeCookie, app.serializeCookie)
    return
  }
  await app.register(async function cookieSerializer(scope) {
    await scope.register(fastifyCookie, { hook: false })
    app.decorate(kSerializeCookie, scope.serializeCookie)
  })
}
