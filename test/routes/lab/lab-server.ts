import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import { listen } from '../../helpers/http.js'
import { startUserCenter } from '../../helpers/user-center.js'

export interface Reply {
  readonly status: number
  readonly headers: Headers
  readonly body: { readonly error?: string; readonly msg?: string; readonly data?: unknown }
}

export interface LabServer {
  readonly app: FastifyInstance
  readonly port: number
  readonly origin: string
  list(language?: string): Promise<Reply>
  run(name: string, body?: unknown, headers?: Record<string, string>): Promise<Reply>
}

async function read(response: Response): Promise<Reply> {
  const body: Reply['body'] = JSON.parse(await response.text())
  return { status: response.status, headers: response.headers, body }
}

/** The user center on a loopback address: only there the experiments are served. */
export async function startLab(t: Test, env: Record<string, string> = {}): Promise<LabServer> {
  const { app } = await startUserCenter(t, env)
  const port = await listen(app)
  const origin = `http://127.0.0.1:${port}`
  return {
    app,
    port,
    origin,
    list: async (language = 'en') =>
      read(await fetch(`${origin}/lab/experiments`, { headers: { 'accept-language': language } })),
    run: async (name, body = {}, headers = {}) =>
      read(
        await fetch(`${origin}/lab/experiments/${name}`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', ...headers },
          body: typeof body === 'string' ? body : JSON.stringify(body),
        }),
      ),
  }
}
