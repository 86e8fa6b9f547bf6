import swagger, { type SwaggerTransformObject } from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance, FastifySchema } from 'fastify'
import type { CookieNames } from 'fastify-identity/config'
import fp from 'fastify-plugin'
import { compressPublic } from './http/compress.js'
import type { Operation } from './openapi/operation.js'
import { responsesOf } from './openapi/responses.js'
import { THEME } from './openapi/theme.js'
import { OWN_FILES } from './page.js'

export interface DocsOptions extends CookieNames {
  /** Whether cookie names have the prefix `__Host-`. */
  readonly cookieSecure: boolean
}

/** The version of the HTTP contract. Existing parts keep their meaning. */
const API_VERSION = '1'

const TAGS = [
  { name: 'Signing in', description: 'Sign in and out by cookie, session or token.' },
  { name: 'Who am I', description: 'The caller’s account, and how the server recognised it.' },
  { name: 'Sign-ins', description: 'List and end sign-ins of all modes.' },
  {
    name: 'Second factors',
    description: 'Add, rename and remove authenticator apps, passkeys and recovery codes.',
  },
  { name: 'API keys', description: 'Make, list and end keys for programs.' },
  { name: 'Accounts', description: 'Your own account. For administrators: all accounts.' },
  { name: 'Machinery', description: 'For operators and other services.' },
]

/** One scheme for each mode. Any of them is enough. */
function securitySchemes({ cookieSecure, cookieName, sessionName }: DocsOptions) {
  const prefix = cookieSecure ? '__Host-' : ''
  const cookie = (name: string, description: string) =>
    ({ type: 'apiKey', in: 'cookie', name: `${prefix}${name}`, description }) as const
  return {
    api_key: { type: 'http', scheme: 'bearer', bearerFormat: 'fik_…', description: 'From POST /api_keys.' },
    token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'From POST /login_token.' },
    bound_token: {
      type: 'http',
      scheme: 'DPoP',
      description: 'From POST /login_token with a DPoP proof (RFC 9449).',
    },
    session: cookie(sessionName, 'From POST /login_session.'),
    cookie: cookie(cookieName, 'From POST /login_cookie.'),
  } as const
}

const PEOPLE: readonly Record<string, readonly string[]>[] = [
  { token: [] },
  { bound_token: [] },
  { session: [] },
  { cookie: [] },
]
const ANY_MODE = [{ api_key: [] }, ...PEOPLE]

function securityOf({ guarded, takes }: Operation): readonly Record<string, readonly string[]>[] {
  if (guarded) return guarded === 'people' ? PEOPLE : ANY_MODE
  return takes ? [{ [takes]: [] }, {}] : []
}

function bodyOf(schema: FastifySchema | undefined, { body, bodyExample }: Operation): FastifySchema {
  const sent = body ?? schema?.body
  return typeof sent === 'object' ? { body: { ...sent, examples: [bodyExample] } } : {}
}

function describe(schema: FastifySchema | undefined, operation: Operation): FastifySchema {
  const { id, tag, summary, description } = operation
  return {
    ...schema,
    ...bodyOf(schema, operation),
    operationId: id,
    tags: [tag],
    summary,
    ...(description ? { description } : {}),
    security: securityOf(operation),
    response: responsesOf(operation),
  }
}

async function docsPage(scope: FastifyInstance): Promise<void> {
  compressPublic(scope)
  await scope.register(swaggerUi, {
    routePrefix: '/docs',
    // The package's own policy would allow any source, and framing. Trusted Types are left out, because its page does
    // not support them.
    staticCSP: OWN_FILES,
    theme: THEME,
    // Without the top bar, which loads other documents and has an inline style in its logo.
    uiConfig: { layout: 'BaseLayout' },
  })
}

/**
 * The document at `/docs/json` (OpenAPI 3.1), and a page to try it out at `/docs`. It must be registered before the
 * routes, since it collects them from a hook.
 */
async function docsPlugin(app: FastifyInstance, options: DocsOptions): Promise<void> {
  const optionalBodies: string[] = []
  /** @fastify/swagger declares every body as required. */
  const letBodiesOut: SwaggerTransformObject = (made) => {
    if (!('openapiObject' in made)) return made.swaggerObject
    for (const url of optionalBodies) {
      const body = made.openapiObject.paths?.[url]?.post?.requestBody
      if (body && 'required' in body) body.required = false
    }
    return made.openapiObject
  }
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.1',
      info: {
        title: 'User center',
        version: API_VERSION,
        description:
          'Three ways to stay signed in, API keys for programs, and one request for the caller’s account. Every answer has the form { code, msg, data?, auth_type?, error? }.',
        license: { name: 'MIT', identifier: 'MIT' },
      },
      servers: [{ url: '/', description: 'This server.' }],
      tags: TAGS,
      components: { securitySchemes: securitySchemes(options) },
    },
    transformObject: letBodiesOut,
    transform: ({ schema, url, route: { method, config } }) => {
      const operation = method === 'HEAD' ? undefined : config?.operation
      if (operation?.body) optionalBodies.push(url)
      return { url, schema: operation ? describe(schema, operation) : { ...schema, hide: true } }
    },
  })
  await app.register(docsPage)
}

export default fp(docsPlugin, { name: 'user-center-docs', fastify: '5.x' })
