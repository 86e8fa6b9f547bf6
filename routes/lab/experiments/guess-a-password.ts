import type { Answered, Browser } from '../browser.js'
import { askWho, signIn } from '../credentials.js'
import { script } from '../curl.js'
import type { Experiment, Outcome } from '../experiment.js'
import { credentialsOf, USER } from '../people.js'
import { ELSEWHERE, signOut } from '../sign-out.js'

const GUESSES = 12

/** One wrong password after the other. @returns the last answer */
async function guess(attacker: Browser): Promise<Answered> {
  let last: Answered | undefined
  for (let number = 1; number <= GUESSES; number++) {
    last = await attacker.send({
      title: { en: `Guess ${number}`, zh: `第 ${number} 次猜测` },
      method: 'POST',
      path: '/login_cookie',
      from: 'program',
      body: { username: USER.username, password: `guess ${number}` },
    })
  }
  if (!last) throw new Error('somebody guesses')
  return last
}

/** The number of seconds that the answer tells to wait. */
function retryAfter({ index }: Answered, exchanges: Outcome['exchanges']): number {
  const [, value = '0'] = exchanges[index]?.response.headers.find(([name]) => name === 'retry-after') ?? []
  return Number(value)
}

/** The right password, from a browser that waited for as long as it was told. */
async function comeBack(browser: Browser, wait: () => void): Promise<void> {
  wait()
  await signIn(browser, 'cookie')
  await askWho(browser, 'cookie', { en: 'Signed in after the wait', zh: '等待之后登录成功' })
}

function logIn(browser: Browser): Promise<Answered> {
  return browser.send({
    title: { en: 'user1 gives the right password', zh: 'user1 输入正确的密码' },
    method: 'POST',
    path: '/login_cookie',
    body: credentialsOf(USER),
  })
}

const GUESS_OFTEN = `
guess() { curl -s -H 'Content-Type: application/json' -d '{"username":"'"$name"'","password":"a wrong guess"}' "$BASE/login_cookie"; }
for number in 1 2 3 4 5 6 7 8 9 10 11; do guess | error; done
`
const CURLS: Readonly<Record<string, { readonly body: string; readonly prints: string }>> = {
  new: {
    body: `
# A name that nobody has, so that nobody is kept out: unknown names are treated like the others.
name="nobody-$RANDOM$RANDOM"${GUESS_OFTEN}guess | error
`,
    prints: '"error":"THROTTLED"',
  },
  known: {
    body: `
name="somebody-$RANDOM$RANDOM"
as() { curl -s -H 'Content-Type: application/json' -d '{"username":"'"$name"'","password":"a long enough one"}' "$@"; }
as "$BASE/register"; echo
device=$(as -i "$BASE/login_cookie" | value_of device)${GUESS_OFTEN}as "$BASE/login_cookie" | error
as -H "Cookie: device=$device" "$BASE/login_cookie" | grep -o '"auth_type":"cookie"'
`,
    prints: '"auth_type":"cookie"',
  },
}

/** The throttle, and why it does not keep the owner out. */
export const guessAPassword: Experiment = {
  name: 'guess-a-password',
  title: { en: 'Guess a password twelve times', zh: '猜十二次密码' },
  claim: {
    en: 'The login compares the password with the stored one, and answers right or wrong.',
    zh: '登录就是把密码与保存的密码比对，回答对或错。',
  },
  question: {
    en: 'An attacker guesses your password twelve times. Then you come with the right one. Does the server let you in?',
    zh: '攻击者猜了十二次您的密码，然后您输入正确的密码。服务器会让您登录吗？',
  },
  predictions: [
    { id: 'in', text: { en: 'Yes, at once.', zh: '会，立刻登录。' } },
    { id: 'later', text: { en: 'Not at once, but a minute later.', zh: '不会立刻，要等一分钟。' } },
    { id: 'locked', text: { en: 'No, the account is locked.', zh: '不会，账户已被锁定。' } },
  ],
  choices: [
    {
      id: 'device',
      label: { en: 'Your browser', zh: '您的浏览器' },
      options: [
        { id: 'new', text: { en: 'is new to the server', zh: '服务器没见过' } },
        { id: 'known', text: { en: 'has signed in before', zh: '以前登录过' } },
      ],
    },
  ],
  next: [{ text: { en: 'Choose the other browser.', zh: '换另一个浏览器。' } }],
  async run(lab, { device = 'new' }) {
    const center = await lab.center()
    await center.readPicture(USER)
    const browser = lab.browser(center)
    if (device === 'known') {
      await signIn(browser, 'cookie')
      await signOut(browser, 'cookie')
    }
    const throttled = await guess(lab.browser(center, { ip: ELSEWHERE }))
    const seconds = retryAfter(throttled, lab.exchanges)
    const owner = await logIn(browser)
    if (owner.status !== 200) await comeBack(browser, () => lab.clock.advance(seconds))
    const { body, prints } = CURLS[device] ?? { body: '', prints: '' }
    return {
      right: owner.status === 200 ? 'in' : 'later',
      exchanges: lab.exchanges,
      compare: [throttled.index, owner.index],
      findings: [
        { label: { en: 'Retry-After, in seconds', zh: 'Retry-After（秒）' }, value: `${seconds}` },
        {
          label: { en: 'Device cookie of your browser', zh: '您浏览器里的设备 Cookie' },
          value: browser.cookies.get('device')?.value ?? '–',
        },
      ],
      verdict:
        owner.status === 200
          ? {
              en: 'After ten failures unknown browsers get 429 THROTTLED, but your browser has a device cookie, so the server counts its failures separately.',
              zh: '失败十次之后，陌生的浏览器得到 429 THROTTLED；但您的浏览器有设备 Cookie，所以单独计数。',
            }
          : {
              en: `After ten failures every unknown browser gets 429 THROTTLED for ${seconds} seconds, even with the right password.`,
              zh: `失败十次之后，陌生的浏览器在 ${seconds} 秒内即使密码正确也得到 429 THROTTLED。`,
            },
      curl: script(body, prints),
    }
  },
}
