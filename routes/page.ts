import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import fastifyStatic from '@fastify/static'
import type { FastifyInstance } from 'fastify'

/** Beside what is running: the build compiles it there. Of the sources themselves nothing is served. */
const ROOT = fileURLToPath(new URL('../public/', import.meta.url))

const NOT_BUILT = 'The page is not built: "npm run build" makes it. The API works without it.\n'

/**
 * What a page of ours may load and do (CSP 3): its own files, and calls to this server. No inline script or style, no
 * frame, and no form that a browser would send by itself.
 */
export const OWN_FILES = {
  'default-src': ["'none'"],
  'object-src': ["'none'"],
  'script-src': ["'self'"],
  'style-src': ["'self'"],
  // Avatars without a picture are drawn by the server, as data: addresses.
  'img-src': ["'self'", 'data:'],
  'connect-src': ["'self'"],
  'base-uri': ["'none'"],
  'form-action': ["'none'"],
  'frame-ancestors': ["'none'"],
}

/** The same for the page, and any answer that somebody opens as one; and no string becomes script (Trusted Types). */
export const PAGE_POLICY = {
  useDefaults: false,
  directives: {
    ...OWN_FILES,
    'require-trusted-types-for': ["'script'"],
    // And nobody may say that some string is to be trusted.
    'trusted-types': ["'none'"],
  },
}

/** The user center's page at `/`, and its files. The same for everybody: who is there, it asks the API. */
export async function pageRoutes(app: FastifyInstance): Promise<void> {
  if (!existsSync(`${ROOT}main.js`)) {
    app.get('/', async function pageNotBuilt(_request, reply) {
      reply.code(503).type('text/plain; charset=utf-8')
      return NOT_BUILT
    })
    return
  }
  // A route for each file that is there now: no path leads anywhere else.
  const files = { root: ROOT, prefix: '/page/', index: false, wildcard: false } as const
  // Revalidated each time: a page of one version with a script of another would be worse than a round trip.
  await app.register(fastifyStatic, { ...files, maxAge: 0 })
  app.get('/', function page(_request, reply) {
    return reply.sendFile('index.html')
  })
}
