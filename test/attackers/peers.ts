import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import type { Test } from 'tap'
import { type CredentialCenter, headersOf } from '../helpers/credential-kinds.js'
import { eventually } from '../helpers/followed.js'
import { type Credential, listen } from '../helpers/http.js'
import type { Row } from './row.js'

/** Reads `GET /live` over a connection of its own. */
async function openStream(t: Test, center: CredentialCenter, headers: Credential) {
  const address = center.app.server.address()
  const port = address && typeof address === 'object' ? address.port : await listen(center.app)
  const request = get(`http://127.0.0.1:${port}/live`, { headers, agent: false })
  t.teardown(() => request.destroy())
  const [response]: IncomingMessage[] = await once(request, 'response')
  if (!response) throw new Error('no response')
  const stream = { status: response.statusCode, text: '', isOver: false }
  response.setEncoding('utf8').on('data', (chunk) => {
    stream.text += chunk
  })
  response.on('end', () => {
    stream.isOver = true
  })
  if (response.statusCode === 200) await eventually(() => stream.text.includes('hello'))
  return stream
}

type Stream = Awaited<ReturnType<typeof openStream>>

async function ends(t: Test, stream: Stream): Promise<void> {
  await eventually(() => stream.isOver)
  t.match(stream.text, /event: signed_out\ndata: \{"error":"SIGNED_OUT"\}\n\n$/)
}

export const peer: Row = {
  async every(t, center, kind) {
    const held = await center.obtain(kind)
    const stream = await openStream(t, center, held.headers)
    t.equal((await center.endBy(await center.owner(), held)).statusCode, 200)
    await ends(t, stream)
    t.equal((await openStream(t, center, held.headers)).status, 403, 'it cannot come back')
  },
  instead: {
    async refresh(t, center) {
      const { headers, answer } = await center.obtain('refresh')
      t.equal((await openStream(t, center, headers)).status, 403, 'a refresh cookie opens no stream')
      const stream = await openStream(t, center, headersOf('token', answer.json().data.token))
      t.equal((await center.send({ method: 'POST', url: '/logout_token', headers })).statusCode, 200)
      await ends(t, stream)
    },
    async 'device cookie'(t, center) {
      const { headers, answer } = await center.obtain('device cookie')
      t.equal((await openStream(t, center, headers)).status, 403, 'a device cookie opens no stream')
      const cookie = answer.cookies.map(({ name, value }) => `${name}=${value}`).join('; ')
      const stream = await openStream(t, center, { cookie })
      await center.send({ method: 'POST', url: '/logout_cookie', headers: { cookie } })
      await ends(t, stream)
      t.equal((await openStream(t, center, { cookie })).status, 403, 'nor does it bring one back')
    },
  },
}
