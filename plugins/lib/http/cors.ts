import type { FastifyInstance } from 'fastify'
import { loadOptional } from '../optional.js'

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']
const ALLOWED_HEADERS = ['Authorization', 'Content-Type', 'DPoP']
/** Without these lines, a script of another origin cannot read why it was refused, and when and how to try again. */
const EXPOSED_HEADERS = ['WWW-Authenticate', 'Retry-After', 'DPoP-Nonce']

/**
 * Lets pages of these origins call with credentials (CORS, WHATWG Fetch §3.3), by @fastify/cors. An application that has
 * registered @fastify/cors before keeps its own settings.
 * @throws DEPENDENCY_MISSING
 */
export async function useCors(app: FastifyInstance, origins: ReadonlySet<string>): Promise<void> {
  if (origins.size === 0 || app.hasPlugin('@fastify/cors')) return
  const { default: cors } = await loadOptional(
    '@fastify/cors',
    () => import('@fastify/cors'),
    'allowedOrigins',
  )
  await app.register(cors, {
    origin: [...origins],
    credentials: true,
    methods: METHODS,
    allowedHeaders: ALLOWED_HEADERS,
    exposedHeaders: EXPOSED_HEADERS,
    // With it, @fastify/cors answers a malformed preflight in a form of its own.
    strictPreflight: false,
  })
}
