import { signedIn } from 'fastify-identity/testing'
import { Secret, TOTP } from 'otpauth'
import { type Answered, type Browser, textAt } from '../browser.js'
import type { Center } from '../center.js'
import { askWho } from '../credentials.js'
import { script } from '../curl.js'
import type { Experiment, Lab, Outcome, Text } from '../experiment.js'
import { accountOf, credentialsOf, USER } from '../people.js'
import { ELSEWHERE } from '../sign-out.js'

/** Seconds for which an authenticator app shows a code. */
const STEP = 30

/** The person's authenticator app. */
type App = (time: number) => string

/** Adds an authenticator app to the account, before the experiment begins. */
async function enrol(center: Center, clock: Lab['clock']): Promise<App> {
  const headers = await signedIn(center.app, accountOf(USER), 'token')
  const begun = await center.app.inject({ method: 'POST', url: '/factors/totp', headers })
  const { data } = begun.json()
  const totp = new TOTP({ secret: Secret.fromBase32(data.secret) })
  const app: App = (timestamp) => totp.generate({ timestamp })
  const payload = { id: data.id, code: app(clock.now) }
  const confirmed = await center.app.inject({
    method: 'POST',
    url: '/factors/totp/confirm',
    headers,
    payload,
  })
  if (confirmed.statusCode !== 200) throw new Error(confirmed.body)
  return app
}

/** @returns `pending`, which the second step needs */
async function givePassword(browser: Browser, title: Text): Promise<string> {
  const body = credentialsOf(USER)
  const answered = await browser.send({ title, method: 'POST', path: '/login_cookie', body })
  return textAt(answered.json, 'data', 'pending')
}

function giveCode(browser: Browser, pending: string, code: string, title: Text): Promise<Answered> {
  const body = { pending, factor: 'totp', code }
  return browser.send({ title, method: 'POST', path: '/login_factor', body })
}

const YOURS: Text = { en: 'You enter the password', zh: '您输入密码' }
const THEIRS: Text = { en: 'The thief enters your password, too', zh: '窃贼也输入您的密码' }
const YOUR_CODE: Text = { en: 'You enter the code from your app', zh: '您输入应用中的验证码' }
const THEIR_CODE: Text = { en: 'The thief enters the same code', zh: '窃贼输入同一个验证码' }

interface Players {
  readonly lab: Lab
  readonly you: Browser
  readonly thief: Browser
  readonly code: string
}

/** One after the other. */
async function later({ lab, you, thief, code }: Players): Promise<Answered[]> {
  const first = await giveCode(you, await givePassword(you, YOURS), code, YOUR_CODE)
  lab.clock.advance(5)
  const second = await giveCode(thief, await givePassword(thief, THEIRS), code, THEIR_CODE)
  return [first, second]
}

/** Sends both requests before either is answered. */
async function atOnce({ you, thief, code }: Players): Promise<Answered[]> {
  const yours = await givePassword(you, YOURS)
  const theirs = await givePassword(thief, THEIRS)
  return Promise.all([giveCode(you, yours, code, YOUR_CODE), giveCode(thief, theirs, code, THEIR_CODE)])
}

const CURL = `
name="somebody-$RANDOM$RANDOM"
account='{"username":"'"$name"'","password":"a long enough one"}'
send() { curl -s -H 'Content-Type: application/json' -d "$@"; }
send "$account" "$BASE/register" > /dev/null
me="Authorization: Bearer $(send "$account" "$BASE/login_token" | field token)"
begun=$(curl -s -X POST -H "$me" "$BASE/factors/totp")
id=$(echo "$begun" | field id)
key=$(echo "$begun" | field secret | base32 -d | od -An -tx1 | tr -d ' \\n')
# The server's clock: the time of the sign-in just made.
now=$(date -d "$(curl -s -H "$me" "$BASE/sign_ins" | field created_at)" +%s)
# Computes a code as an authenticator app does (RFC 6238).
code() {
  step=$(printf %016x $((now / 30 + $1)) | sed 's/../\\\\x&/g')
  mac=$(printf "$step" | openssl dgst -sha1 -mac HMAC -macopt "hexkey:$key" | sed 's/.* //')
  at=$((16#\${mac:39:1} * 2))
  printf %06d $(((16#\${mac:$at:8} & 0x7fffffff) % 1000000))
}
send '{"id":"'"$id"'","code":"'"$(code 0)"'"}' -H "$me" "$BASE/factors/totp/confirm" > /dev/null
try() {
  pending=$(send "$account" "$BASE/login_token" | field pending)
  send '{"pending":"'"$pending"'","factor":"totp","code":"'"$1"'"}' "$BASE/login_factor"
}
once=$(code 1)
try "$once" | grep -o '"auth_type":"token"'
try "$once" | error
`

function outcomeOf(lab: Lab, [first, second]: readonly Answered[], isAtOnce: boolean): Outcome {
  if (!first || !second) throw new Error('two people give the code')
  const granted = [first, second].filter(({ status }) => status === 200)
  const refused = [first, second].find(({ status }) => status !== 200)
  return {
    right: granted.length === 1 ? 'refused' : 'both',
    exchanges: lab.exchanges,
    compare: [first.index, second.index],
    findings: [],
    verdict: isAtOnce
      ? {
          en: `The server marks a code as used before it signs anybody in, so only one of two simultaneous requests succeeds and the other gets ${refused?.status} ${refused?.error}.`,
          zh: `服务器先将验证码标记为已使用，然后才允许登录，因此两个同时到达的请求只有一个成功，另一个得到 ${refused?.status} ${refused?.error}。`,
        }
      : {
          en: `Your app shows a code for 30 seconds, but the server accepts it only once, so the second use gets ${refused?.status} ${refused?.error}.`,
          zh: `应用会将一个验证码显示 30 秒，但服务器只接受一次，所以第二次使用得到 ${refused?.status} ${refused?.error}。`,
        },
    curl: script(CURL, '"error":"FACTOR_REFUSED"'),
  }
}

/** The server must accept a time-based code only once (RFC 6238 §5.2). */
export const codeTwice: Experiment = {
  name: 'code-twice',
  title: { en: 'Use a code twice', zh: '同一个验证码用两次' },
  claim: {
    en: 'A code from an authenticator app is valid for 30 seconds.',
    zh: '身份验证器应用的验证码在 30 秒内有效。',
  },
  question: {
    en: 'A thief knows your password, and sees the code on your screen while you sign in. The thief sends the same code. What happens?',
    zh: '窃贼知道您的密码，并在您登录时看到了屏幕上的验证码。窃贼发送同一个验证码。会发生什么？',
  },
  predictions: [
    {
      id: 'both',
      text: { en: 'Both are signed in: the code is still valid.', zh: '两人都登录成功：验证码仍然有效。' },
    },
    { id: 'refused', text: { en: 'Only one of them is signed in.', zh: '只有一人登录成功。' } },
    { id: 'ended', text: { en: 'Your sign-in ends, too.', zh: '您的登录也会结束。' } },
  ],
  choices: [
    {
      id: 'when',
      label: { en: 'The thief sends it', zh: '窃贼发送的时间' },
      options: [
        { id: 'later', text: { en: '5 seconds after you', zh: '比您晚 5 秒' } },
        { id: 'at-once', text: { en: 'at the same moment', zh: '与您同时' } },
      ],
    },
  ],
  next: [
    { text: { en: 'Choose the other moment.', zh: '换一个时刻再试。' } },
    {
      text: { en: 'See what a copied cookie is worth.', zh: '看看复制的 Cookie 有什么用。' },
      experiment: 'copied-jar',
    },
  ],
  async run(lab, { when = 'later' }) {
    const center = await lab.center()
    await center.readPicture(USER)
    const app = await enrol(center, lab.clock)
    lab.clock.advance(STEP)
    const you = lab.browser(center)
    const thief = lab.browser(center, { ip: ELSEWHERE })
    const players = { lab, you, thief, code: app(lab.clock.now) }
    const answers = await (when === 'at-once' ? atOnce(players) : later(players))
    await askWho(you, 'cookie', { en: 'Are you signed in?', zh: '您已登录吗？' })
    return outcomeOf(lab, answers, when === 'at-once')
  },
}
