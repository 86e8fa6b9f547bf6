import t from 'tap'
import { EXPERIMENTS } from '../../../routes/lab/experiments.js'
import { startLab } from './lab-server.js'

interface Shown {
  readonly exchanges: readonly {
    readonly request: { readonly headers: readonly (readonly [name: string, value: string])[] }
    readonly response: { readonly body: string }
  }[]
}

const isShown = (data: unknown): data is Shown =>
  typeof data === 'object' && data !== null && 'exchanges' in data

t.test('the real server accepts no credential that an experiment shows', async (t) => {
  const { origin, run } = await startLab(t)
  const credentials = new Map<string, Record<string, string>>()
  const refreshTokens = new Set<string>()
  for (const { name } of EXPERIMENTS) {
    const { body } = await run(name)
    if (!isShown(body.data)) return t.fail(name)
    for (const { request, response } of body.data.exchanges) {
      for (const [header, value] of request.headers)
        if (/^(cookie|authorization)$/.test(header)) credentials.set(value, { [header]: value })
      for (const [, token = ''] of response.body.matchAll(/"refresh_token":"([^"]+)"/g))
        refreshTokens.add(token)
    }
  }
  t.ok(credentials.size > 20 && refreshTokens.size > 3, `${credentials.size}, ${refreshTokens.size}`)
  for (const headers of credentials.values()) {
    const answer = await fetch(`${origin}/user_info`, { headers })
    t.equal(answer.status, 403)
    // With a known key, the code would be SIGNED_OUT.
    t.match(
      await answer.text(),
      /"(NOT_SIGNED_IN|CREDENTIAL_INVALID|TOKEN_INVALID)"/,
      JSON.stringify(headers),
    )
  }
  for (const token of refreshTokens) {
    const answer = await fetch(`${origin}/refresh_token`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ refresh_token: token }),
    })
    t.equal(answer.status, 401)
    t.match(await answer.text(), /"REFRESH_REFUSED"/)
  }
})
