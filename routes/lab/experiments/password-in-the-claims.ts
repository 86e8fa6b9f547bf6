import { createHmac, randomBytes } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import type { Claims } from 'fastify-identity'
import { textAt } from '../browser.js'
import { readWithoutKey } from '../credentials.js'
import { script } from '../curl.js'
import type { Experiment } from '../experiment.js'
import { accountOf, credentialsOf, USER } from '../people.js'
import { same } from '../text.js'

const CLAIMS: Readonly<Record<string, Claims>> = {
  password: { password: USER.password },
  card: { cardNumber: '4111 1111 1111 1111' },
  team: { team: 'billing' },
}

/** An application's own login. It tells the code of its mistake, which the real server only logs. */
const loginWith = (claims: Claims) => (app: FastifyInstance) => {
  app.post('/tutorial/login', async (request, reply) => {
    try {
      const { token } = await request.signIn('token', accountOf(USER), { claims })
      return { code: 200, token }
    } catch (error) {
      if (!(error instanceof Error && 'code' in error)) throw error
      return reply.code(500).send({ code: 500, error: error.code, msg: error.message })
    }
  })
}

const encode = (content: object) => Buffer.from(JSON.stringify(content)).toString('base64url')

/** The token of a library that signs whatever it gets. */
function carelessToken(claims: Claims): string {
  const signed = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ sub: USER.id, ...claims })}`
  return `${signed}.${createHmac('sha256', randomBytes(32)).update(signed).digest('base64url')}`
}

/** Secrets do not belong where the client can read them. */
export const passwordInTheClaims: Experiment = {
  name: 'password-in-the-claims',
  title: { en: 'A password in the claims', zh: '把密码放进声明' },
  claim: {
    en: 'Put into the token whatever the server needs later: it is signed, so it is safe.',
    zh: '服务器以后要用的内容都可以放进令牌：它有签名，所以是安全的。',
  },
  question: {
    en: 'An application puts this field into the token of the sign-in. What happens?',
    zh: '应用在登录时把这个字段放进令牌。会发生什么？',
  },
  predictions: [
    {
      id: 'hidden',
      text: { en: 'The token is issued, and hides the field.', zh: '令牌会签发，并隐藏该字段。' },
    },
    {
      id: 'readable',
      text: {
        en: 'The token is issued, and anybody can read the field.',
        zh: '令牌会签发，任何人都能读到该字段。',
      },
    },
    { id: 'refused', text: { en: 'The suite refuses to issue it.', zh: '套件拒绝签发。' } },
  ],
  choices: [
    {
      id: 'field',
      label: { en: 'Field', zh: '字段' },
      options: [
        { id: 'password', text: same('password') },
        { id: 'card', text: same('cardNumber') },
        { id: 'team', text: same('team') },
      ],
    },
  ],
  next: [
    { text: { en: 'Choose the field “team”.', zh: '选择字段“team”。' } },
    { text: { en: 'Forge a token instead.', zh: '试着伪造一个令牌。' }, experiment: 'forged-tokens' },
  ],
  async run(lab, { field = 'password' }) {
    const claims = CLAIMS[field] ?? {}
    const [name = ''] = Object.keys(claims)
    const center = await lab.center({ routes: loginWith(claims) })
    const answered = await lab.browser(center).send({
      title: { en: `Sign in, with ${name} in the claims`, zh: `登录，并把 ${name} 放进声明` },
      method: 'POST',
      path: '/tutorial/login',
      body: credentialsOf(USER),
    })
    const isIssued = answered.error === ''
    const token = isIssued ? textAt(answered.json, 'token') : carelessToken(claims)
    return {
      right: isIssued ? 'readable' : 'refused',
      exchanges: lab.exchanges,
      compare: null,
      findings: [
        {
          label: isIssued
            ? { en: 'The token, read without a key', zh: '不用密钥读到的令牌内容' }
            : {
                en: 'A careless library’s token, read without a key',
                zh: '不做检查的库所签发的令牌，不用密钥读到的内容',
              },
          value: readWithoutKey('token', token),
        },
      ],
      verdict: isIssued
        ? {
            en: 'The suite issues this token, and anybody can read its field team.',
            zh: '套件签发了该令牌，任何人都能从中读到字段 team。',
          }
        : {
            en: `The suite refuses with ${answered.error}, because anybody could read the field ${name} in the token.`,
            zh: `套件以 ${answered.error} 拒绝，因为任何人都能从令牌中读到字段 ${name}。`,
          },
      curl: script(
        `
token=$(login "$BASE/login_token" | field token)
claims=$(cut -d. -f2 <<< "$token" | decode)
echo "$claims"
case "$claims" in *user123*) echo 'the password is in the token' ;; *) echo 'no password is in the token' ;; esac
`,
        'no password is in the token',
      ),
    }
  },
}
