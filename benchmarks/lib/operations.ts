import { MODES, type Mode } from './contender.js'
import { type Client, signIn } from './credentials.js'
import { usernameOf } from './profile.js'
import type { Server } from './server.js'

interface Operation {
  readonly name: string
  readonly mode: Mode
  readonly send: (server: Server, client: Client) => Promise<Response>
}

function post(path: string, bodyOf: (client: Client) => object = () => ({})): Operation['send'] {
  return (server, client) =>
    fetch(server.origin + path, {
      method: 'POST',
      headers: { ...client.headers, 'content-type': 'application/json' },
      body: JSON.stringify(bodyOf(client)),
    })
}

const call =
  (path: string, method = 'GET'): Operation['send'] =>
  (server, { headers }) =>
    fetch(server.origin + path, { method, headers })

const OPERATIONS: readonly Operation[] = [
  ...MODES.map((mode) => ({ name: `who am I, ${mode}`, mode, send: call('/user_info') })),
  { name: 'list', mode: 'cookie', send: call('/sign_ins') },
  { name: 'end all others', mode: 'cookie', send: call('/sign_ins?except=current', 'DELETE') },
  {
    name: 'refresh',
    mode: 'token',
    send: post('/refresh_token', (client) => ({ refresh_token: client.refreshToken })),
  },
  ...MODES.map((mode) => ({ name: `logout, ${mode}`, mode, send: post(`/logout_${mode}`) })),
]

/** A request to the user center, and the user of each repetition. */
export interface Asked {
  readonly name: string
  /** Prepares the request. @returns a function that sends it once, and throws if it is refused */
  readonly prepare: (index: number) => Promise<() => Promise<unknown>>
}

/** All requests of the part about round trips in one mode. */
export function askedIn(mode: Mode, server: Server): Asked[] {
  const login: Asked = {
    name: `login, ${mode}`,
    prepare: async (index) => () => signIn(server, usernameOf(index)),
  }
  const others = OPERATIONS.filter((operation) => operation.mode === mode)
  return [
    login,
    ...others.map((operation) => ({ name: operation.name, prepare: preparing(operation, server) })),
  ]
}

function preparing({ name, send }: Operation, server: Server): Asked['prepare'] {
  return async (index) => {
    const client = await signIn(server, usernameOf(index))
    return async () => {
      const response = await send(server, client)
      if (response.status !== 200) throw new Error(`${name} was answered ${response.status}`)
      await response.arrayBuffer()
    }
  }
}
