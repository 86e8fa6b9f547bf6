import swagger, { type SwaggerTransformObject } from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance, FastifySchema } from 'fastify'
import type { CookieNames } from 'fastify-identity/config'
import fp from 'fastify-plugin'
import type { Operation } from './openapi/operation.js'
import { OPERATIONS } from './openapi/operations.js'
import { responsesOf } from './openapi/responses.js'
import { OWN_FILES } from './page.js'

export interface DocsOptions extends CookieNames {
  /** Whether cookies are named with `__Host-`. */
  readonly cookieSecure: boolean
}

/** Of the HTTP contract: what is there keeps its meaning. */
const API_VERSION = '1'

const TAGS = [
  { name: 'Signing in', description: 'In one of three ways, and out again.' },
  { name: 'Who am I', description: 'Who is asking, and how they were recognised.' },
  { name: 'Sign-ins', description: 'Where somebody is signed in, whatever the mode; and the end of it.' },
  { name: 'Accounts', description: 'One’s own, and for administrators everybody’s.' },
  { name: 'Machinery', description: 'For whoever runs the server, and for other services.' },
]

/** One for each mode: any of them is enough. */
function securitySchemes({ cookieSecure, cookieName, sessionName }: DocsOptions) {
  const prefix = cookieSecure ? '__Host-' : ''
  const cookie = (name: string, description: string) =>
    ({ type: 'apiKey', in: 'cookie', name: `${prefix}${name}`, description }) as const
  return {
    token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'From POST /login_token.' },
    session: cookie(sessionName, 'From POST /login_session.'),
    cookie: cookie(cookieName, 'From POST /login_cookie.'),
  } as const
}

const ANY_MODE: readonly Record<string, readonly string[]>[] = [
  { token: [] },
  { session: [] },
  { cookie: [] },
]

function securityOf({ guarded, takes }: Operation): readonly Record<string, readonly string[]>[] {
  if (guarded) return ANY_MODE
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

/** A body that a route reads where there is one: @fastify/swagger says of every body that it must be there. */
const letBodiesOut: SwaggerTransformObject = (made) => {
  if (!('openapiObject' in made)) return made.swaggerObject
  for (const [name, { body }] of Object.entries(OPERATIONS)) {
    const [method = '', url = ''] = name.split(' ')
    const sent = method === 'POST' && body ? made.openapiObject.paths?.[url]?.post?.requestBody : undefined
    if (sent && 'required' in sent) sent.required = false
  }
  return made.openapiObject
}

/**
 * The document at `/docs/json` (OpenAPI 3.1), and a page to try it out at `/docs`. Registered before the routes,
 * which it hears of as they come.
 */
async function docsPlugin(app: FastifyInstance, options: DocsOptions): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.1',
      info: {
        title: 'User center',
        version: API_VERSION,
        description:
          'Three ways to stay signed in, and one to ask who is there. Every answer has the form { code, msg, data?, auth_type?, error? }.',
        license: { name: 'MIT', identifier: 'MIT' },
      },
      servers: [{ url: '/', description: 'Where this document is.' }],
      tags: TAGS,
      components: { securitySchemes: securitySchemes(options) },
    },
    transformObject: letBodiesOut,
    transform: ({ schema, url, route }) => {
      const operation = OPERATIONS[`${route.method} ${url}`]
      return { url, schema: operation ? describe(schema, operation) : { ...schema, hide: true } }
    },
  })
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    // With the package's own policy it could load from everywhere, and be framed. Trusted Types it does not know.
    staticCSP: OWN_FILES,
    // Without the bar above it, which is for documents from elsewhere, and has a style of its own in a logo.
    uiConfig: { layout: 'BaseLayout' },
  })
}

export default fp(docsPlugin, { name: 'user-center-docs', fastify: '5.x' })
