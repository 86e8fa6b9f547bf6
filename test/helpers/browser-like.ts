import Fastify, { type FastifyInstance, type FastifyPluginAsync } from 'fastify'
import fp from 'fastify-plugin'
import type { Test } from 'tap'
import type { Clock } from '../../plugins/lib/contract.js'

interface ExampleOptions {
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly clock?: Clock
}

/** One of the small systems, listening on a port of its own, and closed when the test ends. */
export async function startExample(
  t: Test,
  example: FastifyPluginAsync<ExampleOptions>,
  options: ExampleOptions,
): Promise<{ app: FastifyInstance; origin: string }> {
  const app = Fastify({ forceCloseConnections: true, pluginTimeout: 0 })
  t.teardown(() => app.close())
  // Its decorators are seen from here only when it has no scope of its own.
  await app.register(fp(example, { name: 'example' }), options)
  return { app, origin: await app.listen({ host: '127.0.0.1', port: 0 }) }
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly setCookies: readonly string[]
}

interface Sent {
  readonly headers?: Record<string, string>
  readonly form?: Record<string, string> | [string, string][]
  readonly json?: unknown
}

function contentOf({ form, json }: Sent): RequestInit {
  if (form) return { body: new URLSearchParams(form) }
  if (json === undefined) return {}
  return { body: JSON.stringify(json), headers: { 'content-type': 'application/json' } }
}

/** A client that keeps cookies and says where it comes from, as a browser does. Follows no redirect. */
export class Browser {
  readonly cookies = new Map<string, string>()

  constructor(private readonly origin: string) {}

  get(path: string, headers?: Record<string, string>): Promise<Answer> {
    return this.send('GET', path, { headers })
  }

  /** As the page's own form would. */
  post(path: string, form: Record<string, string> | [string, string][]): Promise<Answer> {
    return this.send('POST', path, { form, headers: { 'sec-fetch-site': 'same-origin' } })
  }

  async send(method: string, path: string, sent: Sent = {}): Promise<Answer> {
    const content = contentOf(sent)
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const headers = { ...content.headers, ...(cookie === '' ? {} : { cookie }), ...sent.headers }
    const response = await fetch(this.origin + path, { ...content, method, headers, redirect: 'manual' })
    const setCookies = response.headers.getSetCookie()
    for (const line of setCookies) this.keep(line)
    return { status: response.status, headers: response.headers, text: await response.text(), setCookies }
  }

  private keep(line: string): void {
    const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
    if (/max-age=0|expires=thu, 01 jan 1970/i.test(line)) this.cookies.delete(name)
    else this.cookies.set(name, value)
  }
}
