import { createHash, randomBytes } from 'node:crypto'
import formbody from '@fastify/formbody'
import Fastify from 'fastify'
import type { Test } from 'tap'

export const CLIENT = { id: 'recipe', secret: 'the-secret-of-a-client' }

interface Asked {
  readonly client_id: string
  readonly redirect_uri: string
  readonly state: string
  readonly code_challenge: string
  readonly code_challenge_method: string
}

/** A person at the provider, who consents to everything. */
export interface Person {
  readonly sub: string
  readonly name: string
}

export interface Provider {
  /** Who sits at the provider's page. */
  person: Person
}

const challengeOf = (verifier: string) => createHash('sha256').update(verifier).digest('base64url')
const basic = `Basic ${Buffer.from(`${CLIENT.id}:${CLIENT.secret}`).toString('base64')}`

/** An OAuth provider: authorization code with PKCE (RFC 6749 §4.1, RFC 7636). A code works once. */
export async function startProvider(
  t: Pick<Test, 'teardown'>,
  person: Person,
  port: number,
): Promise<Provider> {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(formbody)
  const codes = new Map<string, Asked & { person: Person }>()
  const tokens = new Map<string, Person>()
  const provider = { person }
  app.get<{ Querystring: Asked }>('/authorize', ({ query }, reply) => {
    if (query.client_id !== CLIENT.id || query.code_challenge_method !== 'S256') return reply.code(400).send()
    const code = randomBytes(16).toString('hex')
    codes.set(code, { ...query, person: provider.person })
    return reply.redirect(`${query.redirect_uri}?${new URLSearchParams({ code, state: query.state })}`)
  })
  app.post<{ Body: Record<string, string> }>('/token', async ({ body, headers }, reply) => {
    const asked = codes.get(body.code ?? '')
    codes.delete(body.code ?? '')
    const proven = asked && asked.code_challenge === challengeOf(body.code_verifier ?? '')
    if (!proven || headers.authorization !== basic || asked.redirect_uri !== body.redirect_uri)
      return reply.code(400).send({ error: 'invalid_grant' })
    const access_token = randomBytes(16).toString('hex')
    tokens.set(access_token, asked.person)
    return { access_token, token_type: 'Bearer', expires_in: 60 }
  })
  app.get('/userinfo', async ({ headers }, reply) => {
    const found = tokens.get((headers.authorization ?? '').replace('Bearer ', ''))
    return found ?? reply.code(401).send({ error: 'invalid_token' })
  })
  await app.listen({ port, host: '127.0.0.1' })
  return provider
}
