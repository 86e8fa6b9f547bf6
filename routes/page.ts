import { existsSync, readdirSync } from 'node:fs'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { FastifyInstance, FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify'
import { addVary } from './http/coding.js'
import { languageOf } from './http/messages.js'
import { readStaticFile, sendStaticFile } from './http/static-file.js'

/** Beside the running code: the build bundles the page into it. The sources are never served. */
const ROOT = fileURLToPath(new URL('../public/', import.meta.url))

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
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
}

type Handler = (request: FastifyRequest, reply: FastifyReply) => FastifyReply

/** The name has a hash of the content: this address never has another content. */
function serveAsset(path: string, type: string): Handler {
  const file = readStaticFile(path, type)
  return function pageAsset(request, reply) {
    reply.header('cache-control', 'public, max-age=31536000, immutable')
    addVary(reply, 'Accept-Encoding')
    return sendStaticFile(request, reply, file)
  }
}

/** A hash in the name of a script: ours, or the bundler's for a script that is loaded later. */
const HASH = '[\\da-f]{16}|[\\dA-Z]{8}'
/** A script's name without its hash. */
const SCRIPT = new RegExp(`^(.+-)(?:${HASH})\\.js$`)

/** In ms: often enough while servers of two versions run, and no load for them. */
const RELOAD_AFTER = 2000

/**
 * Answers instead of a script of another version: this server was replaced after the browser had got the HTML, or a
 * server of another version sent it. The page is loaded again until both come from one version.
 */
const otherVersion: Handler = (_request, reply) =>
  reply.type(TYPES['.js'] ?? '').send(`setTimeout(() => location.reload(), ${RELOAD_AFTER})\n`)

/** Revalidated each time, since it names the assets. */
function serveHtml(folder: string): Handler {
  const en = readStaticFile(join(folder, 'index.en.html'), HTML)
  const zh = readStaticFile(join(folder, 'index.zh.html'), HTML)
  return function pageHtml(request, reply) {
    reply.header('cache-control', 'public, max-age=0')
    addVary(reply, 'Accept-Encoding', 'Accept-Language')
    return sendStaticFile(request, reply, languageOf(request) === 'zh' ? zh : en)
  }
}

const pageNotBuilt: Handler = (_request, reply) =>
  reply.code(503).type('text/plain; charset=utf-8').send(NOT_BUILT)

/** Which of the pages: its address, and its folder in the build. */
export interface PageOptions {
  readonly url: string
  readonly folder: string
  /** Runs before the page and each of its assets. */
  readonly onRequest?: onRequestHookHandler
}

/** Registers a page and its assets. One route for each existing file, so that no path leads anywhere else. */
export function servePage(app: FastifyInstance, { url, folder, onRequest }: PageOptions): void {
  const place = join(ROOT, folder)
  const hooks = onRequest ? { onRequest } : {}
  if (!existsSync(join(place, 'index.en.html'))) {
    app.get(url, hooks, pageNotBuilt)
    return
  }
  for (const name of readdirSync(place)) {
    const type = TYPES[extname(name)]
    if (type) app.get(join('/page', folder, name), hooks, serveAsset(join(place, name), type))
  }
  // Each language has its own version of a script that is loaded later.
  const scripts = new Set(readdirSync(place).flatMap((name) => SCRIPT.exec(name)?.[1] ?? []))
  for (const script of scripts)
    app.get(join('/page', folder, `${script}:hash(^(?:${HASH})$).js`), hooks, otherVersion)
  app.get(url, hooks, serveHtml(place))
}

/** The user center's page, and two small ones. They are the same for everybody, and ask the API for the rest. */
export async function pageRoutes(app: FastifyInstance): Promise<void> {
  servePage(app, { url: '/', folder: '' })
  if (!app.hasAccountMail) return
  for (const folder of ['forgotten', 'address']) servePage(app, { url: `/${folder}`, folder })
}
