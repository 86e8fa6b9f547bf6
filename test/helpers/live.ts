import { once } from 'node:events'
import websocket from '@fastify/websocket'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Test } from 'tap'
import { WebSocket } from 'ws'
import type { Account, SignInOptions } from '../../plugins/lib/contract.js'
import type { LiveSocket } from '../../plugins/lib/live/contract.js'
import live, { type LiveOptions as PluginOptions } from '../../plugins/live.js'
import { listen } from './http.js'
import {
  ALICE,
  buildSuite,
  cookieHeader,
  cookieMode,
  type Headers,
  type Suite,
  type SuiteOptions,
  sessionMode,
  tokenMode,
} from './suite.js'

/** What a server has received from its sockets, in order. */
export interface LiveApp extends Suite {
  readonly port: number
  readonly received: string[]
  enter(mode?: string, options?: SignInOptions & { readonly account?: Account }): Promise<Headers>
  open(headers: Headers, path?: string): Promise<Peer>
}

/** A client that is connected. */
export interface Peer {
  readonly socket: WebSocket
  /** Resolves with the code and the reason of the close frame. */
  readonly closed: Promise<readonly [code: number, reason: string]>
  /** Sends, and waits until the server has answered. */
  echo(text: string): Promise<string>
}

export async function connectPeer(port: number, headers: Headers, path = '/ws'): Promise<Peer> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers })
  const closed = once(socket, 'close').then(([code, reason]) => [code, String(reason)] as const)
  const refused = once(socket, 'unexpected-response').then(([, response]) => {
    throw new Error(`refused with ${response.statusCode}`)
  })
  await Promise.race([once(socket, 'open'), refused])
  return {
    socket,
    closed,
    async echo(text) {
      const answer = once(socket, 'message')
      socket.send(text)
      return String((await answer)[0])
    },
  }
}

export interface LiveOptions extends Partial<SuiteOptions> {
  readonly live?: PluginOptions
  /** How the route binds its socket. */
  readonly bind?: (app: FastifyInstance, request: FastifyRequest, socket: LiveSocket) => unknown
}

/** An application with a WebSocket at `/ws`, bound to its sign-in, that listens. */
export async function startLive(t: Test, { bind, ...options }: LiveOptions = {}): Promise<LiveApp> {
  const received: string[] = []
  const suite = await buildSuite(t, {
    modes: [tokenMode(), sessionMode(), cookieMode()],
    ...options,
    async routes(app) {
      await app.register(live, options.live ?? {})
      await app.register(websocket)
      app.get('/ws', { websocket: true, preHandler: app.guard() }, async (socket, request) => {
        socket.on('message', (data) => {
          received.push(String(data))
          socket.send(String(data))
        })
        await (bind ? bind(app, request, socket) : app.live.bindSocket(request, socket))
      })
      await options.routes?.(app)
    },
  })
  const port = await listen(suite.app)
  const enter: LiveApp['enter'] = async (mode = 'cookie', rest = {}) => {
    const answer = await suite.signIn(mode, { account: ALICE, ...rest })
    return mode === 'token' ? { authorization: `Bearer ${answer.json().issued.token}` } : cookieHeader(answer)
  }
  return { ...suite, port, received, enter, open: (headers, path) => connectPeer(port, headers, path) }
}
