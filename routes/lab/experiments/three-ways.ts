import {
  askWho,
  COOKIE_NAMES,
  MODE_CHOICE,
  type Mode,
  modeOf,
  readWithoutKey,
  signIn,
} from '../credentials.js'
import { script } from '../curl.js'
import type { Experiment } from '../experiment.js'
import { USER } from '../people.js'
import type { Text } from '../text.js'

const VERDICTS: Readonly<Record<Mode, Text>> = {
  cookie: {
    en: 'The browser attaches the cookie by itself, and the cookie says who you are, so the other server looked nothing up in the store.',
    zh: '浏览器自动带上 Cookie，而 Cookie 里写明了身份，所以另一台服务器无需查询存储。',
  },
  session: {
    en: 'The cookie holds only a random id, so the other server had to look up the session in the shared store.',
    zh: 'Cookie 里只有随机 ID，所以另一台服务器必须到共享存储中查询会话。',
  },
  token: {
    en: 'The page itself attaches the token, and the token says who you are, so the other server looked nothing up in the store.',
    zh: '令牌由页面自己带上，其中写明了身份，所以另一台服务器无需查询存储。',
  },
}

const byCookie = (mode: 'cookie' | 'session') => `
answer=$(login -i "$BASE/login_${mode}")
grep -i '^set-cookie: ${COOKIE_NAMES[mode]}=' <<< "$answer"
cookie=$(value_of ${COOKIE_NAMES[mode]} <<< "$answer")
curl -s -H "Cookie: ${COOKIE_NAMES[mode]}=$cookie" "$BASE/user_info" | grep -o '"auth_type":"[a-z]*"'
`

const BY_TOKEN = `
token=$(login "$BASE/login_token" | field token)
echo "$token"
curl -s -H "Authorization: Bearer $token" "$BASE/user_info" | grep -o '"auth_type":"[a-z]*"'
`

/** Where each mode keeps its state. */
export const threeWays: Experiment = {
  name: 'three-ways',
  title: { en: 'Sign in by each way', zh: '用每种方式登录' },
  claim: {
    en: 'Cookies and tokens keep the state at the client, and sessions keep it on the server.',
    zh: 'Cookie 和令牌把状态放在客户端，会话把状态放在服务器端。',
  },
  question: {
    en: 'You sign in, and your next request reaches another server of the same system. What does that server look up in the store?',
    zh: '您登录之后，下一个请求到达同一系统的另一台服务器。它要向存储查询什么？',
  },
  predictions: [
    {
      id: 'nothing',
      text: { en: 'Nothing: the request says everything.', zh: '什么也不查：请求本身已说明一切。' },
    },
    { id: 'session', text: { en: 'The session that has this id.', zh: '这个 ID 对应的会话。' } },
    {
      id: 'password',
      text: { en: 'The account, to check the password again.', zh: '账户，以便再次核对密码。' },
    },
  ],
  choices: [MODE_CHOICE],
  next: [
    { text: { en: 'Choose another way to sign in.', zh: '换一种登录方式。' } },
    {
      text: { en: 'Read the credential without a key.', zh: '不用密钥，读一读凭证。' },
      experiment: 'read-without-a-key',
    },
  ],
  async run(lab, choices) {
    const mode = modeOf(choices)
    const system = lab.system()
    const first = await lab.center(system)
    const other = await lab.center(system)
    await other.readPicture(USER)
    const browser = lab.browser(first)
    const before = await askWho(browser, 'cookie', { en: 'Before the sign-in', zh: '登录之前' })
    const { credential } = await signIn(browser, mode)
    const title = { en: 'The next request, at the other server', zh: '下一个请求，到达另一台服务器' }
    const after = await askWho(browser, mode, title, other)
    return {
      right: mode === 'session' ? 'session' : 'nothing',
      exchanges: lab.exchanges,
      compare: [before.index, after.index],
      findings: [
        { label: { en: 'The credential', zh: '凭证' }, value: credential },
        { label: { en: 'What it says', zh: '其中的内容' }, value: readWithoutKey(mode, credential) },
        {
          label: {
            en: 'What a script of the page reads in document.cookie',
            zh: '页面脚本从 document.cookie 读到的内容',
          },
          value: browser.cookies.forScript() || '""',
        },
      ],
      verdict: VERDICTS[mode],
      curl: script(mode === 'token' ? BY_TOKEN : byCookie(mode), `"auth_type":"${mode}"`),
    }
  },
}
