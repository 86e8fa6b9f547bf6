import { type Answered, type Browser, textAt } from '../browser.js'
import { askWho, signIn } from '../credentials.js'
import { script } from '../curl.js'
import type { Experiment, Lab, Outcome, Text } from '../experiment.js'
import { USER } from '../people.js'

/** In seconds. The user center's grace is 10 s. */
const WAITS: Readonly<Record<string, number>> = { within: 5, after: 11 }

const AGAIN: Text = { en: 'The old refresh token once more', zh: '再次使用旧的刷新令牌' }

function refresh(browser: Browser, token: string, title: Text): Promise<Answered> {
  const body = { refresh_token: token }
  return browser.send({ title, method: 'POST', path: '/refresh_token', body })
}

const nextTokenOf = ({ json }: Answered) => textAt(json, 'data', 'refresh_token')

/** Within the grace: a client whose answer was lost may ask again. */
async function retry(
  lab: Lab,
  browser: Browser,
  old: string,
  first: Answered,
): Promise<Omit<Outcome, 'curl'>> {
  const second = await refresh(browser, old, AGAIN)
  const isSame = nextTokenOf(second) === nextTokenOf(first)
  return {
    right: isSame ? 'same' : 'theft',
    compare: [first.index, second.index],
    findings: [
      {
        label: { en: 'The next token, the first time', zh: '第一次得到的新令牌' },
        value: nextTokenOf(first),
      },
      {
        label: { en: 'The next token, the second time', zh: '第二次得到的新令牌' },
        value: nextTokenOf(second),
      },
    ],
    verdict: {
      en: 'Within 10 seconds the same refresh token gets the same next token, so a client can retry if the answer was lost.',
      zh: '10 秒之内，同一个刷新令牌换到的是同一个新令牌，所以响应丢失时客户端可以重试。',
    },
    exchanges: lab.exchanges,
  }
}

/** After the grace: somebody has a copy, and the server cannot tell who. */
async function replay(
  lab: Lab,
  browser: Browser,
  old: string,
  first: Answered,
): Promise<Omit<Outcome, 'curl'>> {
  const second = await refresh(browser, old, AGAIN)
  const access = await askWho(browser, 'token', {
    en: 'The newest access token, which has not expired',
    zh: '最新的访问令牌（尚未过期）',
  })
  const newest = await refresh(browser, nextTokenOf(first), {
    en: 'The newest refresh token',
    zh: '最新的刷新令牌',
  })
  const isOver = access.error === 'SIGNED_OUT' && newest.error === 'REFRESH_REFUSED'
  return {
    right: isOver ? 'theft' : 'refused',
    compare: [first.index, second.index],
    findings: [
      {
        label: { en: 'What the server’s audit log says', zh: '服务器审计日志的记录' },
        value: browser.center.events.map(({ type }) => type).join('\n'),
      },
    ],
    verdict: {
      en: `A used token that comes again after 10 seconds means that two clients have it, so the server answers ${second.status} ${second.error} and ends the whole sign-in.`,
      zh: `用过的令牌在 10 秒之后再次出现，说明有两个客户端持有它，所以服务器回答 ${second.status} ${second.error}，并结束整个登录。`,
    },
    exchanges: lab.exchanges,
  }
}

const CURLS: Readonly<Record<string, { readonly body: string; readonly prints: string }>> = {
  within: {
    body: `
renew() { curl -s -H 'Content-Type: application/json' -d '{"refresh_token":"'"$1"'"}' "$BASE/refresh_token"; }
old=$(login "$BASE/login_token" | field refresh_token)
first=$(renew "$old" | field refresh_token)
second=$(renew "$old" | field refresh_token)
[ -n "$first" ] && [ "$first" = "$second" ] && echo 'the same next token'
`,
    prints: 'the same next token',
  },
  after: {
    body: `
renew() { curl -s -H 'Content-Type: application/json' -d '{"refresh_token":"'"$1"'"}' "$BASE/refresh_token"; }
old=$(login "$BASE/login_token" | field refresh_token)
next=$(renew "$old" | field refresh_token)
newest=$(renew "$next")
# Two generations old: this needs no wait for the end of the grace.
renew "$old" | error
curl -s -H "Authorization: Bearer $(echo "$newest" | field token)" "$BASE/user_info" | error
`,
    prints: '"error":"SIGNED_OUT"',
  },
}

/** Rotation, and what a second use means. */
export const refreshTwice: Experiment = {
  name: 'refresh-twice',
  title: { en: 'A refresh token twice', zh: '刷新令牌用两次' },
  claim: {
    en: 'A refresh token gets new access tokens again and again, until it expires.',
    zh: '刷新令牌在过期之前可以反复换取新的访问令牌。',
  },
  question: {
    en: 'Your page has exchanged its refresh token for the next one. Now somebody sends the old one again. What happens?',
    zh: '您的页面已经用刷新令牌换到了新的。现在有人再次发送旧的刷新令牌。会发生什么？',
  },
  predictions: [
    { id: 'same', text: { en: 'It gets the same next token again.', zh: '再次得到同一个新令牌。' } },
    { id: 'refused', text: { en: 'It is refused, and nothing else happens.', zh: '被拒绝，仅此而已。' } },
    {
      id: 'theft',
      text: { en: 'It counts as theft, and the whole sign-in ends.', zh: '视为被盗，整个登录随之结束。' },
    },
  ],
  choices: [
    {
      id: 'when',
      label: { en: 'The old one comes', zh: '旧令牌出现于' },
      options: [
        { id: 'within', text: { en: '5 seconds later', zh: '5 秒之后' } },
        { id: 'after', text: { en: '11 seconds later', zh: '11 秒之后' } },
      ],
    },
  ],
  next: [
    { text: { en: 'Choose the other time.', zh: '换一个时间再试。' } },
    {
      text: { en: 'See how a script in the page gets a token.', zh: '看看页面里的脚本怎样拿到令牌。' },
      experiment: 'injected-script',
    },
  ],
  async run(lab, { when = 'within' }) {
    const center = await lab.center()
    await center.readPicture(USER)
    const browser = lab.browser(center)
    const { answered } = await signIn(browser, 'token')
    const old = textAt(answered.json, 'data', 'refresh_token')
    const first = await refresh(browser, old, {
      en: 'Exchange the refresh token',
      zh: '用刷新令牌换取新的令牌',
    })
    browser.storage.set('access token', textAt(first.json, 'data', 'token'))
    lab.clock.advance(WAITS[when] ?? 0)
    const play = when === 'after' ? replay : retry
    const { body, prints } = CURLS[when] ?? { body: '', prints: '' }
    return { ...(await play(lab, browser, old, first)), curl: script(body, prints) }
  },
}
