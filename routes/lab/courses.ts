import { type Answered, type Browser, textAt } from './browser.js'
import { askWho, signIn } from './credentials.js'
import type { Lab } from './experiment.js'
import type { Text } from './text.js'

/** Half an hour and a second: more than half of a cookie's hour. In seconds. */
const PAST_HALF = 1801

/** One of the cases in which time passes. */
export interface Course {
  readonly text: Text
  readonly right: 'in' | 'expired' | 'nothing'
  readonly verdict: Text
  /** @returns the decisive exchange */
  run(lab: Lab, browser: Browser): Promise<Answered>
  /** What the running server says of lifetimes: it cannot be told that time has passed. */
  readonly curl: string
  readonly prints: string
}

/** The browser drops the cookie at its end, so only a copy shows that the server refuses it. */
async function expireCookie(lab: Lab, browser: Browser): Promise<Answered> {
  const { credential } = await signIn(browser, 'cookie')
  lab.clock.advance(3601)
  await askWho(browser, 'cookie', {
    en: 'An hour later, the browser has dropped the cookie',
    zh: '一小时后，浏览器已丢弃 Cookie',
  })
  return browser.send({
    title: { en: 'A copy of it, sent by a program', zh: '由程序发送它的副本' },
    path: '/user_info',
    from: 'program',
    headers: { cookie: `identity=${credential}` },
  })
}

async function expireToken(lab: Lab, browser: Browser): Promise<Answered> {
  const { answered } = await signIn(browser, 'token')
  lab.clock.advance(901)
  const expired = await askWho(browser, 'token', { en: '15 minutes later', zh: '15 分钟之后' })
  const refreshed = await browser.send({
    title: { en: 'Exchange the refresh token', zh: '用刷新令牌换取新的令牌' },
    method: 'POST',
    path: '/refresh_token',
    body: { refresh_token: textAt(answered.json, 'data', 'refresh_token') },
  })
  browser.storage.set('access token', textAt(refreshed.json, 'data', 'token'))
  await askWho(browser, 'token', { en: 'With the new token', zh: '使用新的令牌' })
  return expired
}

async function renewCookie(lab: Lab, browser: Browser): Promise<Answered> {
  await signIn(browser, 'cookie')
  lab.clock.advance(PAST_HALF)
  await askWho(browser, 'cookie', { en: 'After more than half an hour', zh: '半个多小时之后' })
  lab.clock.advance(PAST_HALF)
  return askWho(browser, 'cookie', {
    en: 'After the end of the first cookie',
    zh: '超过第一个 Cookie 的期限之后',
  })
}

const reopened = (remember: boolean) => async (_lab: Lab, browser: Browser) => {
  await signIn(browser, 'session', { remember })
  browser.cookies.close()
  return askWho(browser, 'session', {
    en: 'The browser was closed and opened again',
    zh: '关闭浏览器后重新打开',
  })
}

const COOKIE_AGE = `login -i "$BASE/login_cookie" | grep -i '^set-cookie: identity=' | grep -o 'Max-Age=[0-9]*'`
/** The end is inside of the signed cookie, where nobody can move it. */
const COOKIE_END = `
claims=$(login -i "$BASE/login_cookie" | value_of identity | cut -d. -f3 | decode)
echo "$claims"
number() { grep -o '"'"$1"'":[0-9]*' <<< "$claims" | cut -d: -f2; }
echo "the cookie says that it ends after $(($(number exp) - $(number iat))) seconds"
`
const session = (body: string) =>
  `curl -s -i -H 'Content-Type: application/json' -d '${body}' "$BASE/login_session" | grep -i '^set-cookie: session=' | grep -o 'Max-Age=[0-9]*'`

/** All cases by the id of their choice. */
export const COURSES: Readonly<Record<string, Course>> = {
  cookie: {
    text: {
      en: 'Cookie: an hour passes, and a program sends a copy',
      zh: 'Cookie：过了一小时，由程序发送副本',
    },
    right: 'expired',
    verdict: {
      en: 'The browser drops the cookie after an hour, and the server refuses a copy of it with 403 CREDENTIAL_EXPIRED.',
      zh: '一小时后浏览器会丢弃 Cookie，服务器也会以 403 CREDENTIAL_EXPIRED 拒绝它的副本。',
    },
    run: expireCookie,
    curl: COOKIE_END,
    prints: 'the cookie says that it ends after 3600 seconds',
  },
  token: {
    text: { en: 'Token: 15 minutes pass', zh: '令牌：过了 15 分钟' },
    right: 'expired',
    verdict: {
      en: 'The server refuses the token with 403 TOKEN_EXPIRED, and the refresh token gets a new one without a password.',
      zh: '服务器以 403 TOKEN_EXPIRED 拒绝该令牌，而刷新令牌无需密码就能换到新的令牌。',
    },
    run: expireToken,
    curl: `login "$BASE/login_token" | grep -o '"expires_in":[0-9]*'`,
    prints: '"expires_in":900',
  },
  renewal: {
    text: { en: 'Cookie: an hour passes, and you use it halfway', zh: 'Cookie：过了一小时，其间使用过' },
    right: 'in',
    verdict: {
      en: 'A request after half the cookie’s life gets a new cookie, so people who keep using the site stay signed in.',
      zh: '有效期过半后的请求会得到新的 Cookie，所以持续使用的人会保持登录。',
    },
    run: renewCookie,
    curl: COOKIE_AGE,
    prints: 'Max-Age=3600',
  },
  closed: {
    text: { en: 'Session: the browser is closed', zh: '会话：关闭浏览器' },
    right: 'nothing',
    verdict: {
      en: 'Without “Keep me signed in” the cookie has no Max-Age, so the browser drops it when it closes.',
      zh: '没有勾选“保持登录”时 Cookie 没有 Max-Age，浏览器关闭时会丢弃它。',
    },
    run: reopened(false),
    curl: `${session('{"username":"user1","password":"user123"}')} || echo 'no Max-Age'`,
    prints: 'no Max-Age',
  },
  remembered: {
    text: {
      en: 'Session with “Keep me signed in”: the browser is closed',
      zh: '会话：勾选“保持登录”，关闭浏览器',
    },
    right: 'in',
    verdict: {
      en: 'With “Keep me signed in” the cookie has a Max-Age of a week, so the browser keeps it when it closes.',
      zh: '勾选“保持登录”后 Cookie 的 Max-Age 是一周，所以浏览器关闭后仍会保留它。',
    },
    run: reopened(true),
    curl: session('{"username":"user1","password":"user123","remember":true}'),
    prints: 'Max-Age=604800',
  },
}

/** The case that a choice names. @throws Error for a choice that is not listed */
export function courseOf(id = 'cookie'): Course {
  const course = COURSES[id]
  if (!course) throw new Error('the route lets only listed choices through')
  return course
}
