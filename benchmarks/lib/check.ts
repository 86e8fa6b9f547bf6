import { Type } from 'typebox'
import { Value } from 'typebox/value'
import type { Client, Headers } from './credentials.js'
import { usernameOf } from './profile.js'
import type { Server } from './server.js'

const Answer = Type.Object({
  code: Type.Literal(200),
  msg: Type.String({ minLength: 1 }),
  data: Type.Object({
    username: Type.String(),
    role: Type.Literal('user'),
    avatar: Type.String({ minLength: 1 }),
  }),
  auth_type: Type.String(),
})

const SAMPLE = 10

function ask(server: Server, headers: Headers): Promise<Response> {
  return fetch(`${server.origin}/user_info`, { headers })
}

/** @throws unless the answer is correct and belongs to the caller */
export async function checkAnswer(server: Server, { username, headers }: Client): Promise<void> {
  const response = await ask(server, headers)
  const text = await response.text()
  const { contender } = server
  const right =
    response.status === 200 && isRight(text, contender.guarded ? username : usernameOf(0), contender.mode)
  if (!right) throw new Error(`${contender.name} answered ${username} wrongly: ${response.status} ${text}`)
}

function isRight(text: string, username: string, mode: string): boolean {
  const body: unknown = JSON.parse(text)
  return Value.Check(Answer, body) && body.data.username === username && body.auth_type === mode
}

/** Checks a sample of all credentials, and that a missing or altered credential is refused. */
export async function checkAnswers(server: Server, clients: readonly Client[]): Promise<void> {
  const step = Math.max(1, Math.floor(clients.length / SAMPLE))
  for (let index = 0; index < clients.length; index += step) {
    const client = clients[index]
    if (client) await checkAnswer(server, client)
  }
  if (!server.contender.guarded) return
  await checkRefused(server, {})
  const [first] = clients
  if (first) await checkRefused(server, altered(first.headers))
}

async function checkRefused(server: Server, headers: Headers): Promise<void> {
  const { status } = await ask(server, headers)
  if (status !== 401 && status !== 403) throw new Error(`${server.contender.name} let somebody in: ${status}`)
}

/** Changes a character in the last quarter of each cookie and of the token, where the signature is. */
function altered(headers: Headers): Headers {
  const alterAll = (value: string) => value.split('; ').map(alter).join('; ')
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, alterAll(value)]))
}

function alter(value: string): string {
  const at = value.length - Math.min(12, Math.ceil(value.length / 4))
  const other = value[at] === 'A' ? 'B' : 'A'
  return value.slice(0, at) + other + value.slice(at + 1)
}

/** Checks answers during the load. @returns a function that ends it, and throws if an answer was wrong */
export function watchAnswers(server: Server, clients: readonly Client[]): () => Promise<void> {
  let going = true
  const watching = (async () => {
    for (let index = 0; going; index = (index + 7) % clients.length) {
      const client = clients[index]
      if (client) await checkAnswer(server, client)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  })()
  // It is awaited at the end. Until then, a rejection must not count as unhandled.
  watching.catch(() => {})
  return () => {
    going = false
    return watching
  }
}
