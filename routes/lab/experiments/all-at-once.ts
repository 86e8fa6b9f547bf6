import { type Answered, type Browser, textAt } from '../browser.js'
import { carry, signIn } from '../credentials.js'
import { script } from '../curl.js'
import type { Experiment, Text } from '../experiment.js'
import { USER } from '../people.js'

const bearer = (value: string) => ({ authorization: `Bearer ${value}` })

/** An API key of the person whose token it is. */
async function makeKey(browser: Browser, token: string): Promise<string> {
  const answered = await browser.send({
    title: { en: 'Make an API key', zh: '创建 API 密钥' },
    method: 'POST',
    path: '/api_keys',
    from: 'program',
    headers: bearer(token),
    body: { name: 'script' },
  })
  return textAt(answered.json, 'data', 'key')
}

/** Sends fewer and fewer credentials: the first one of the order answers each time. */
async function peel(browser: Browser, key: string, token: string, cookie: string): Promise<string[]> {
  const ask = (title: Text, headers: Record<string, string>) =>
    browser.send({ title, path: '/user_info', headers })
  const answers = [
    await ask({ en: 'API key, session and cookie', zh: 'API 密钥、会话和 Cookie' }, bearer(key)),
    await ask({ en: 'Token, session and cookie', zh: '令牌、会话和 Cookie' }, bearer(token)),
    await ask({ en: 'Session and cookie', zh: '会话和 Cookie' }, {}),
    await ask({ en: 'Cookie alone', zh: '只有 Cookie' }, carry('cookie', cookie)),
  ]
  return answers.map(({ json }) => textAt(json, 'auth_type'))
}

/** A damaged token in front of good cookies, at a route of each kind. */
async function damage(browser: Browser, token: string): Promise<{ next: Answered; stop: Answered }> {
  const headers = bearer(token.slice(0, -1))
  const next = await browser.send({
    title: { en: 'A damaged token in front, at /user_info', zh: '前面放一个损坏的令牌，请求 /user_info' },
    path: '/user_info',
    headers,
  })
  const stop = await browser.send({
    title: { en: 'The same at /sign_ins', zh: '同样的凭证，请求 /sign_ins' },
    path: '/sign_ins',
    headers,
  })
  return { next, stop }
}

/** The order of the modes, and what a bad credential in front does. */
export const allAtOnce: Experiment = {
  name: 'all-at-once',
  title: { en: 'All at once, then a bad token in front', zh: '同时出示全部凭证，再把坏令牌放在最前' },
  claim: {
    en: 'One server can accept cookies, sessions and tokens side by side.',
    zh: '一台服务器可以同时接受 Cookie、会话和令牌。',
  },
  question: {
    en: 'A request carries a damaged token, a good session id and a good cookie. Does the server let it in?',
    zh: '一个请求带着损坏的令牌，以及有效的会话 ID 和 Cookie。服务器会放行吗？',
  },
  predictions: [
    {
      id: 'always',
      text: { en: 'Yes: one good credential is enough.', zh: '会：只要有一个有效凭证就够了。' },
    },
    {
      id: 'never',
      text: { en: 'No: one bad credential is enough.', zh: '不会：只要有一个无效凭证就拒绝。' },
    },
    { id: 'route', text: { en: 'That depends on the route.', zh: '取决于路由。' } },
  ],
  choices: [],
  next: [
    {
      text: {
        en: 'See which forged tokens are refused, and why.',
        zh: '看看哪些伪造的令牌会被拒绝，以及原因。',
      },
      experiment: 'forged-tokens',
    },
  ],
  async run(lab) {
    const center = await lab.center()
    await center.readPicture(USER)
    const browser = lab.browser(center)
    const { credential: token } = await signIn(browser, 'token')
    const key = await makeKey(browser, token)
    const { credential: cookie } = await signIn(browser, 'cookie')
    await signIn(browser, 'session')
    const order = await peel(browser, key, token, cookie)
    const { next, stop } = await damage(browser, token)
    return {
      right: 'route',
      exchanges: lab.exchanges,
      compare: [next.index, stop.index],
      findings: [{ label: { en: 'The order of the modes', zh: '各方式的顺序' }, value: order.join(' → ') }],
      verdict: {
        en: `/user_info tries the next credential and accepts the ${textAt(next.json, 'auth_type')}, while every other guarded route stops at the damaged token with ${stop.status} ${stop.error}.`,
        zh: `/user_info 会继续查看后面的凭证（auth_type 为 ${textAt(next.json, 'auth_type')}），其他受保护的路由则停在损坏的令牌上，返回 ${stop.status} ${stop.error}。`,
      },
      curl: script(
        `
cookie=$(login -i "$BASE/login_session" | value_of session)
damaged=$(login "$BASE/login_token" | field token | sed 's/.$//')
ask() { curl -s -H "Cookie: session=$cookie" -H "Authorization: Bearer $damaged" "$BASE$1"; }
ask /user_info | grep -o '"auth_type":"[a-z]*"'
ask /sign_ins | error
`,
        '"error":"TOKEN_INVALID"',
      ),
    }
  },
}
