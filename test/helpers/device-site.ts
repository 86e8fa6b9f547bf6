import websocket from '@fastify/websocket'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import live from '../../plugins/live.js'
import type { DeviceWindow } from './dbsc-browser.js'
import { type DeviceApp, type DeviceAppOptions, deviceApp } from './device-app.js'
import { listen } from './http.js'
import { ALICE } from './suite.js'
import { startTlsProxy, type TlsProxy } from './tls-proxy.js'

export interface DeviceSite extends DeviceApp {
  readonly proxy: TlsProxy
  readonly origin: string
}

function addRoutes(app: FastifyInstance): void {
  const guarded = { preHandler: app.guard() }
  app.get('/', async (_request, reply) => reply.type('text/html').send('<!doctype html><title>Site</title>'))
  app.get('/page', guarded, async ({ identity }, reply) =>
    reply.type('text/html').send(`<!doctype html><title>${identity.username}</title>`),
  )
  app.get('/ws', { ...guarded, websocket: true }, async (socket, request) => {
    app.live.bindSocket(request, socket)
    socket.send(request.identity.username)
  })
  app.get('/events', guarded, (request, reply) => {
    app.live.bindStream(request, reply)
    reply.hijack()
    reply.raw.writeHead(200, { 'content-type': 'text/event-stream' })
    reply.raw.write(`data: ${request.identity.username}\n\n`)
  })
}

/** The application with pages, a socket and a stream, behind TLS. Its clock stands still. */
export async function startDeviceSite(t: Test, options: DeviceAppOptions = {}): Promise<DeviceSite> {
  const own = await deviceApp(t, {
    ...options,
    async routes(app) {
      await app.register(live)
      await app.register(websocket)
      // In a scope of its own, because the plugin above must be loaded first.
      await app.register(async (scope) => addRoutes(scope))
      await options.routes?.(app)
    },
  })
  const proxy = await startTlsProxy(t, await listen(own.app))
  return { ...own, proxy, origin: proxy.origin }
}

/** `fetch` by the page. @returns the status, and the code of a refusal */
export async function call(
  { page }: Pick<DeviceWindow, 'page'>,
  path: string,
  method = 'GET',
): Promise<string> {
  const read = 'async (answer) => [answer.status, (await answer.json()).code].filter(Boolean).join(" ")'
  return page.evaluate(`fetch('${path}', { method: '${method}' }).then(${read})`)
}

/** Signs in from the page. */
export async function signInFrom(
  { page }: Pick<DeviceWindow, 'page'>,
  { origin }: DeviceSite,
  mode: 'cookie' | 'session' = 'cookie',
): Promise<void> {
  await page.goto(`${origin}/`)
  const init = {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ account: ALICE, options: {} }),
  }
  await page.evaluate(`fetch('/sign_in/${mode}', ${JSON.stringify(init)}).then((answer) => answer.text())`)
}

/** Signs in from the page, and waits until the browser has bound the sign-in. */
export async function bindIn(
  window: DeviceWindow,
  site: DeviceSite,
  mode: 'cookie' | 'session' = 'cookie',
): Promise<void> {
  const bound = window.events.filter(({ kind }) => kind === 'bound').length
  await signInFrom(window, site, mode)
  await window.happened('bound', 'Success', bound + 1)
}
