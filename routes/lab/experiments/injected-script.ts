import { type Answered, type Browser, textAt } from '../browser.js'
import { carry, type Mode, signIn } from '../credentials.js'
import { script } from '../curl.js'
import type { Experiment, Text } from '../experiment.js'
import { ELSEWHERE } from '../sign-out.js'

interface Place {
  readonly text: Text
  readonly mode: Mode
  /** Further fields of the login. */
  readonly rest: object
  readonly verdict: Text
  readonly curl: string
  readonly prints: string
}

const HTTP_ONLY = (mode: string, name: string) =>
  `login -i "$BASE/login_${mode}" | grep -i '^set-cookie: ${name}=' | grep -o HttpOnly`

const PLACES: Readonly<Record<string, Place>> = {
  cookie: {
    text: { en: 'Cookie', zh: 'Cookie' },
    mode: 'cookie',
    rest: {},
    verdict: {
      en: 'HttpOnly hides the cookie, but the browser attaches it to each request, so the script acts as you while the page is open.',
      zh: 'HttpOnly 让脚本读不到 Cookie，但浏览器会在每个请求中带上它，所以页面开着时脚本能以您的身份操作。',
    },
    curl: HTTP_ONLY('cookie', 'identity'),
    prints: 'HttpOnly',
  },
  session: {
    text: { en: 'Session', zh: '会话' },
    mode: 'session',
    rest: {},
    verdict: {
      en: 'HttpOnly hides the session id, but the browser attaches it to each request, so the script acts as you while the page is open.',
      zh: 'HttpOnly 让脚本读不到会话 ID，但浏览器会在每个请求中带上它，所以页面开着时脚本能以您的身份操作。',
    },
    curl: HTTP_ONLY('session', 'session'),
    prints: 'HttpOnly',
  },
  storage: {
    text: { en: 'Token in localStorage', zh: 'localStorage 里的令牌' },
    mode: 'token',
    rest: {},
    verdict: {
      en: 'The script reads the token and sends it to the attacker, who can use it anywhere, even after the page is closed.',
      zh: '脚本读出令牌并发送给攻击者，所以即使页面已关闭，攻击者也能在任何地方使用它。',
    },
    curl: `
token=$(login "$BASE/login_token" | field token)
curl -s -H "Authorization: Bearer $token" "$BASE/user_info" | grep -o '"auth_type":"[a-z]*"'
`,
    prints: '"auth_type":"token"',
  },
  'refresh-cookie': {
    text: {
      en: 'Token in memory, its refresh token in an HttpOnly cookie',
      zh: '令牌在内存里，刷新令牌在 HttpOnly Cookie 里',
    },
    mode: 'token',
    rest: { refresh_cookie: true },
    verdict: {
      en: 'The script cannot read the refresh token, but it can get a new access token as the page does, and send it to the attacker.',
      zh: '脚本读不到刷新令牌，但它可以像页面一样换到新的访问令牌，再发送给攻击者。',
    },
    curl: `
body='{"username":"user1","password":"user123","refresh_cookie":true}'
refresh=$(curl -s -i -H 'Content-Type: application/json' -d "$body" "$BASE/login_token" | value_of refresh)
token=$(curl -s -X POST -H "Cookie: refresh=$refresh" "$BASE/refresh_token" | field token)
curl -s -H "Authorization: Bearer $token" "$BASE/user_info" | grep -o '"auth_type":"[a-z]*"'
`,
    prints: '"auth_type":"token"',
  },
}

function placeOf(id: string): Place {
  const place = PLACES[id]
  if (!place) throw new Error('the route lets only listed choices through')
  return place
}

/** All that a script of the page can read. */
function readByScript(browser: Browser): { readonly cookies: string; readonly storage: string } {
  const stored = [...browser.storage].map(([name, value]) => `${name}: ${value}`)
  return { cookies: browser.cookies.forScript() || '""', storage: stored.join('\n') || '–' }
}

/** What the script gets without reading: a token, where the refresh token is in a cookie. */
async function askForToken(browser: Browser): Promise<string | null> {
  const answered = await browser.send({
    title: { en: 'The script asks for a new access token', zh: '脚本换取新的访问令牌' },
    method: 'POST',
    path: '/refresh_token',
  })
  return answered.status === 200 ? textAt(answered.json, 'data', 'token') : null
}

/** It sends requests of the page, and reads the answers. @returns the first answer */
async function act(browser: Browser, token: string | null): Promise<Answered> {
  const headers = token === null ? {} : carry('token', token)
  const listed = await browser.send({
    title: { en: 'The script lists your sign-ins', zh: '脚本列出您已登录的设备' },
    path: '/sign_ins',
    headers,
  })
  await browser.send({
    title: { en: 'The script signs out your phone', zh: '脚本让您的手机退出登录' },
    method: 'DELETE',
    path: '/sign_ins?except=current',
    headers,
  })
  return listed
}

/** Cross-site scripting: what HttpOnly stops, and what it does not stop. */
export const injectedScript: Experiment = {
  name: 'injected-script',
  title: { en: '“I am an injected script”', zh: '“我是一段注入的脚本”' },
  claim: {
    en: 'Keep the token in localStorage and send it in a header; cookies are the unsafe place.',
    zh: '把令牌放在 localStorage 里，用请求头发送；Cookie 才是不安全的地方。',
  },
  question: {
    en: 'An attacker’s script runs in your page. What can it do with your sign-in?',
    zh: '攻击者的脚本在您的页面里运行。它能用您的登录做什么？',
  },
  predictions: [
    { id: 'nothing', text: { en: 'Nothing.', zh: '什么也做不了。' } },
    {
      id: 'act',
      text: {
        en: 'It can send requests as you, but cannot steal a credential.',
        zh: '能以您的身份发送请求，但带不走凭证。',
      },
    },
    {
      id: 'steal',
      text: {
        en: 'It can also steal a credential, which then works elsewhere.',
        zh: '还能窃取凭证，凭证在别处也能使用。',
      },
    },
  ],
  choices: [
    {
      id: 'place',
      label: { en: 'The credential is in', zh: '凭证的位置' },
      options: Object.entries(PLACES).map(([id, { text }]) => ({ id, text })),
    },
  ],
  next: [
    { text: { en: 'Put the credential in another place.', zh: '换一个存放凭证的位置。' } },
    {
      text: { en: 'See how a sign-out ends a stolen copy.', zh: '看看退出登录怎样让被盗的副本失效。' },
      experiment: 'copy-after-sign-out',
    },
  ],
  async run(lab, { place = 'cookie' }) {
    const { mode, rest, verdict, curl, prints } = placeOf(place)
    const center = await lab.center()
    const browser = lab.browser(center)
    const phone: Text = { en: 'Sign in on your phone', zh: '在手机上登录' }
    await signIn(lab.browser(center), 'cookie', { remember: true }, phone)
    // Later, so that the list of sign-ins has an order.
    lab.clock.advance(60)
    await signIn(browser, mode, rest)
    // The page keeps this token in a closure, where no other script can read it.
    if (place === 'refresh-cookie') browser.storage.clear()
    const { cookies, storage } = readByScript(browser)
    const token =
      browser.storage.get('access token') ?? (mode === 'token' ? await askForToken(browser) : null)
    const here = await act(browser, token)
    const elsewhere = await lab.browser(center, { ip: ELSEWHERE }).send({
      title: { en: 'The attacker, on another machine', zh: '攻击者在另一台机器上' },
      path: '/user_info',
      from: 'program',
      headers: token === null ? {} : carry('token', token),
    })
    return {
      right: elsewhere.status === 200 ? 'steal' : 'act',
      exchanges: lab.exchanges,
      compare: [here.index, elsewhere.index],
      findings: [
        {
          label: { en: 'What it reads in document.cookie', zh: '它从 document.cookie 读到的内容' },
          value: cookies,
        },
        {
          label: { en: 'What it reads in localStorage', zh: '它从 localStorage 读到的内容' },
          value: storage,
        },
      ],
      verdict,
      curl: script(curl, prints),
    }
  },
}
