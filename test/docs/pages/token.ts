import { parts } from '../../helpers/forge.js'
import { signIn } from '../../helpers/http.js'
import { type Page, startCenter } from '../runners.js'
import { holdsLabels } from '../shown.js'

const keysOf = (json: string): string[] => Object.keys(JSON.parse(json))

const page: Page = {
  'access-token': async (t, text) => {
    const { app } = await startCenter(t)
    const { credential } = await signIn(app, 'token')
    const { header, payload } = parts(credential.authorization?.slice('Bearer '.length) ?? '')
    const [token, head = '', ...body] = text.trim().split('\n')
    t.match(token, /^eyJ[\w-]+\.eyJ[\w…-]+\.[\w…-]+$/)
    t.strictSame(keysOf(head), Object.keys(header))
    t.strictSame(keysOf(body.join('')).sort(), Object.keys(payload).sort())
  },
  'refresh-token': async (t, text) => {
    const { app } = await startCenter(t)
    const { refreshToken } = await signIn(app, 'token')
    for (const token of [text.trim(), refreshToken]) t.match(token, /^v1\.[\w-]{8}\.[\w…-]+\.[\w…-]+$/)
  },
  inspect: async (t, text) => {
    const center = await startCenter(t)
    const { credential } = await signIn(center.app, 'token')
    await holdsLabels(t, text, center, credential.authorization)
  },
}

export default page
