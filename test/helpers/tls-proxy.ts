import { execFileSync } from 'node:child_process'
import { createHash, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { type IncomingHttpHeaders, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import type { Test } from 'tap'

/** A request that has come through, and its answer. */
export interface Exchange {
  readonly method: string
  readonly path: string
  readonly sent: IncomingHttpHeaders
  /** 0 until it is answered. */
  status: number
  received: IncomingHttpHeaders
}

/** Keeps the requests to a path, or their answers, until it is opened. */
export interface Gate {
  /** Resolves when the first one is kept. */
  readonly reached: Promise<void>
  open(): void
}

/** TLS in front of an application that listens on a port of this machine. */
export interface TlsProxy {
  /** `https://localhost:<port>`. */
  readonly origin: string
  /** All that has come through, in order. */
  readonly exchanges: Exchange[]
  /** The exchanges with a path, in order. */
  to(path: string): Exchange[]
  /** The application on another port answers from now on. */
  lead(port: number): void
  keep(path: string, what: 'request' | 'answer'): Gate
}

interface State {
  port: number
  readonly gates: Map<string, Promise<void>>
  readonly reached: Map<string, () => void>
  readonly exchanges: Exchange[]
}

const pathOf = ({ url = '/' }: IncomingMessage) => url.replace(/\?.*$/s, '')

/** A self-signed certificate. A browser must be told its key: by another way of trust it binds no sign-in. */
function makeCertificate() {
  const directory = mkdtempSync(join(tmpdir(), 'tls-proxy-'))
  const [keyFile, file] = [join(directory, 'key'), join(directory, 'certificate')]
  try {
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', keyFile]
    const name = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-days', '30']
    execFileSync('openssl', ['req', '-x509', ...kind, '-out', file, ...name], { stdio: 'ignore' })
    const [key, cert] = [readFileSync(keyFile), readFileSync(file)]
    const publicKey = new X509Certificate(cert).publicKey.export({ type: 'spki', format: 'der' })
    return { key, cert, keyHash: createHash('sha256').update(publicKey).digest('base64') }
  } finally {
    rmSync(directory, { recursive: true })
  }
}

async function pass(state: State, path: string, what: 'request' | 'answer'): Promise<void> {
  const name = `${what} ${path}`
  state.reached.get(name)?.()
  await state.gates.get(name)
}

function note(state: State, message: IncomingMessage): Exchange {
  const { method = 'GET', headers: sent } = message
  const exchange: Exchange = { method, path: pathOf(message), sent, status: 0, received: {} }
  state.exchanges.push(exchange)
  return exchange
}

function forward(state: State, message: IncomingMessage) {
  const { method, url: path, headers } = message
  return request({ port: state.port, host: '127.0.0.1', method, path, headers })
}

async function answer(state: State, message: IncomingMessage, response: ServerResponse): Promise<void> {
  const exchange = note(state, message)
  await pass(state, exchange.path, 'request')
  const behind = forward(state, message)
  behind.on('error', () => response.destroy())
  response.on('close', () => behind.destroy())
  behind.on('response', async (incoming) => {
    const { statusCode = 0, headers } = incoming
    await pass(state, exchange.path, 'answer')
    Object.assign(exchange, { status: statusCode, received: headers })
    response.writeHead(statusCode, headers)
    // The head of a stream goes on before its first event.
    response.flushHeaders()
    incoming.pipe(response)
  })
  message.pipe(behind)
}

/** A handshake that is answered without an upgrade closes the connection. */
async function upgrade(state: State, message: IncomingMessage, client: Duplex, head: Buffer): Promise<void> {
  const exchange = note(state, message)
  client.on('error', () => {})
  await pass(state, exchange.path, 'request')
  const behind = forward(state, message)
  const say = ({ statusCode = 0, statusMessage, headers }: IncomingMessage) => {
    Object.assign(exchange, { status: statusCode, received: headers })
    const lines = Object.entries(headers).flatMap(([name, value]) =>
      [value ?? []].flat().map((each) => `${name}: ${each}`),
    )
    client.write(`HTTP/1.1 ${statusCode} ${statusMessage}\r\n${lines.join('\r\n')}\r\n\r\n`)
  }
  behind.on('error', () => client.destroy())
  behind.on('response', (incoming) => {
    say(incoming)
    incoming.pipe(client)
  })
  behind.on('upgrade', (incoming, server, early) => {
    say(incoming)
    server.on('error', () => client.destroy())
    server.write(head)
    client.write(early)
    client.pipe(server).pipe(client)
    client.on('close', () => server.destroy())
  })
  behind.end()
}

function keep(state: State, name: string): Gate {
  let open = () => {}
  const gate = new Promise<void>((resolve) => {
    open = () => {
      state.gates.delete(name)
      resolve()
    }
  })
  state.gates.set(name, gate)
  const reached = new Promise<void>((resolve) => void state.reached.set(name, resolve))
  return { reached, open }
}

let certificate: ReturnType<typeof makeCertificate> | null = null

/** All proxies of a process have the same certificate, so that one browser can trust them. */
function certificateOfProcess() {
  certificate ??= makeCertificate()
  return certificate
}

/** SHA-256 of the public key of all proxies in base64, for a browser that is to trust them. */
export const proxyKeyHash = () => certificateOfProcess().keyHash

/** Starts a proxy to a port of this machine. */
export async function startTlsProxy(t: Pick<Test, 'teardown'>, port: number): Promise<TlsProxy> {
  const state: State = { port, gates: new Map(), reached: new Map(), exchanges: [] }
  const server = createServer(
    certificateOfProcess(),
    (message, response) => void answer(state, message, response),
  )
  const open = new Set<Duplex>()
  server.on('secureConnection', (socket: Duplex) => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  })
  server.on('upgrade', (message, client, head) => void upgrade(state, message, client, head))
  server.listen(0, 'localhost')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of open) socket.destroy()
    server.close()
  })
  const { port: own } = server.address() as AddressInfo
  return {
    origin: `https://localhost:${own}`,
    exchanges: state.exchanges,
    to: (path) => state.exchanges.filter((exchange) => exchange.path === path),
    lead(other) {
      state.port = other
    },
    keep: (path, what) => keep(state, `${what} ${path}`),
  }
}
