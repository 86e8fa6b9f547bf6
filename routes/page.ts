import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

/** Beside the running code: the build compiles the page into it. The sources are never served. */
const ROOT = fileURLToPath(new URL('../public/', import.meta.url))

/** The suite's client, as the package has it: the page imports its modules. */
const CLIENT = dirname(fileURLToPath(import.meta.resolve('fastify-identity/client')))

const NOT_BUILT = 'The page is not built: "npm run build" makes it. The API works without it.\n'

/**
 * The policy for our pages (CSP 3). They may load their own files and call this server. Inline scripts and styles,
 * frames and native form submissions are forbidden.
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

/** The same for the page and for all other answers. In addition, no string becomes script (Trusted Types). */
export const PAGE_POLICY = {
  useDefaults: false,
  directives: {
    ...OWN_FILES,
    'require-trusted-types-for': ["'script'"],
    // No policy may declare a string as trusted.
    'trusted-types': ["'none'"],
  },
}

const HTML = 'text/html; charset=utf-8'
const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': HTML,
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
}

type Handler = (request: FastifyRequest, reply: FastifyReply) => FastifyReply

/**
 * Answers with a file as it is at the start. A build that replaces this one while the server runs must not mix the
 * page of one version with the scripts of another.
 */
function serveFile(path: string, type: string): Handler {
  const content = readFileSync(path)
  const etag = `"${createHash('sha256').update(content).digest('base64url')}"`
  return function pageFile(request, reply) {
    // Revalidated each time, since there may be a new version.
    reply.headers({ etag, 'cache-control': 'public, max-age=0' })
    // A compressing proxy makes the tag weak (RFC 9110 §13.1.2).
    if (request.headers['if-none-match']?.replace(/^W\//, '') === etag) return reply.code(304).send()
    return reply.type(type).send(content)
  }
}

/** One route for each existing file, so that no path leads anywhere else. */
function serveFiles(app: FastifyInstance, prefix: string, folder: string): void {
  for (const path of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const type = TYPES[extname(path)]
    if (type) app.get(`${prefix}/${path}`, serveFile(join(folder, path), type))
  }
}

/** The user center's page at `/`, and its files. They are the same for everybody; the page asks the API for the rest. */
export async function pageRoutes(app: FastifyInstance): Promise<void> {
  if (!existsSync(`${ROOT}main.js`)) {
    app.get('/', async function pageNotBuilt(_request, reply) {
      reply.code(503).type('text/plain; charset=utf-8')
      return NOT_BUILT
    })
    return
  }
  serveFiles(app, '/page', ROOT)
  serveFiles(app, '/page/client', CLIENT)
  app.get('/', serveFile(join(ROOT, 'index.html'), HTML))
}
