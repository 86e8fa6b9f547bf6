import { createHmac, randomBytes } from 'node:crypto'
import { askWho, carry, readWithoutKey, signIn } from '../credentials.js'
import { script } from '../curl.js'
import type { Experiment, Lab } from '../experiment.js'
import { ADMIN, USER } from '../people.js'
import type { Text } from '../text.js'

const encode = (content: object) => Buffer.from(JSON.stringify(content)).toString('base64url')
const decode = (part = ''): object => Object(JSON.parse(Buffer.from(part, 'base64url').toString()))

interface Forgery {
  readonly text: Text
  readonly right: 'signature' | 'audience'
  readonly verdict: Text
  /** Makes it from a genuine token. */
  forge(token: string, lab: Lab, system: ReturnType<Lab['system']>): Promise<string> | string
  /** The same in bash: `header`, `payload` and `mac` are the parts of a genuine token. */
  readonly curl: string
}

/** The content of a genuine token, with another account inside. */
function asAdmin(payload: string | undefined): object {
  return { ...decode(payload), sub: ADMIN.id, username: ADMIN.username, role: ADMIN.role }
}

const FORGERIES: Readonly<Record<string, Forgery>> = {
  none: {
    text: { en: 'alg: none, without a signature', zh: 'alg: none，没有签名' },
    right: 'signature',
    verdict: {
      en: 'The server does not let the token choose the algorithm, so alg: none is refused as TOKEN_INVALID.',
      zh: '服务器不让令牌自己选择算法，所以 alg: none 会以 TOKEN_INVALID 被拒绝。',
    },
    forge(token) {
      const [header, payload] = token.split('.')
      return `${encode({ ...decode(header), alg: 'none' })}.${encode(asAdmin(payload))}.`
    },
    curl: `header=$(printf %s "$header" | decode | sed 's/"HS256"/"none"/' | encode)
mac=`,
  },
  'other-key': {
    text: { en: 'Signed with another key', zh: '用另一把密钥签名' },
    right: 'signature',
    verdict: {
      en: 'Only the server has its key, so a signature made with any other key is refused as TOKEN_INVALID.',
      zh: '只有服务器拥有自己的密钥，用其他密钥做的签名会以 TOKEN_INVALID 被拒绝。',
    },
    forge(token) {
      const [header, payload] = token.split('.')
      const signed = `${header}.${encode(asAdmin(payload))}`
      return `${signed}.${createHmac('sha256', randomBytes(32)).update(signed).digest('base64url')}`
    },
    curl: `payload=$(printf %s "$payload" | decode | sed 's/"role":"user"/"role":"admin"/' | encode)`,
  },
  'other-audience': {
    text: { en: 'Genuine, but for another service', zh: '真实的令牌，但签发给另一个服务' },
    right: 'audience',
    verdict: {
      en: 'The signature is good, but the token names another audience, so it is refused as TOKEN_INVALID.',
      zh: '签名有效，但令牌的接收方（aud）是另一个服务，所以以 TOKEN_INVALID 被拒绝。',
    },
    async forge(_token, lab, system) {
      const other = await lab.center({ ...system, suite: { token: { audience: 'billing' } } })
      const title = { en: 'Sign in at the other service', zh: '在另一个服务登录' }
      return (await signIn(lab.browser(other), 'token', {}, title)).credential
    },
    curl: `payload=$(printf %s "$payload" | decode | sed 's/"aud":"[^"]*"/"aud":"billing"/' | encode)`,
  },
}

function forgeryOf(id: string): Forgery {
  const forgery = FORGERIES[id]
  if (!forgery) throw new Error('the route lets only listed choices through')
  return forgery
}

/** Which tokens are not ours. */
export const forgedTokens: Experiment = {
  name: 'forged-tokens',
  title: { en: 'alg: none, another key, another audience', zh: 'alg: none、另一把密钥、另一个接收方' },
  claim: {
    en: 'The signature guarantees that nobody can forge a token.',
    zh: '有了签名，谁也伪造不了令牌。',
  },
  question: {
    en: 'Does the server accept this token? If not, why?',
    zh: '服务器会接受这个令牌吗？如果不会，为什么？',
  },
  predictions: [
    { id: 'accepted', text: { en: 'It is accepted.', zh: '会接受。' } },
    {
      id: 'signature',
      text: { en: 'It is refused: the signature is not ours.', zh: '会拒绝：签名不是我们的。' },
    },
    {
      id: 'audience',
      text: {
        en: 'It is refused: the signature is good, but the token is for another service.',
        zh: '会拒绝：签名有效，但令牌是给另一个服务的。',
      },
    },
  ],
  choices: [
    {
      id: 'forgery',
      label: { en: 'Token', zh: '令牌' },
      options: Object.entries(FORGERIES).map(([id, { text }]) => ({ id, text })),
    },
  ],
  next: [
    { text: { en: 'Choose another token.', zh: '换一个令牌。' } },
    { text: { en: 'Let a genuine token expire.', zh: '让真实的令牌过期。' }, experiment: 'time-passes' },
  ],
  async run(lab, { forgery: id = 'none' }) {
    const { forge, right, verdict, curl } = forgeryOf(id)
    const system = lab.system()
    const center = await lab.center(system)
    await center.readPicture(USER)
    const browser = lab.browser(center)
    const { credential } = await signIn(browser, 'token')
    const good = await askWho(browser, 'token', { en: 'The genuine token', zh: '真实的令牌' })
    const forged = await forge(credential, lab, system)
    const title = { en: 'The other token', zh: '另一个令牌' }
    const bad = await browser.send({ title, path: '/user_info', headers: carry('token', forged) })
    return {
      right: bad.error === 'TOKEN_INVALID' ? right : 'accepted',
      exchanges: lab.exchanges,
      compare: [good.index, bad.index],
      findings: [
        {
          label: { en: 'The genuine token says', zh: '真实令牌的内容' },
          value: readWithoutKey('token', credential),
        },
        {
          label: { en: 'The other token says', zh: '另一个令牌的内容' },
          value: readWithoutKey('token', forged),
        },
      ],
      verdict,
      curl: script(
        `
IFS=. read -r header payload mac <<< "$(login "$BASE/login_token" | field token)"
${curl}
curl -s -H "Authorization: Bearer $header.$payload.$mac" "$BASE/user_info" | error
`,
        '"error":"TOKEN_INVALID"',
      ),
    }
  },
}
