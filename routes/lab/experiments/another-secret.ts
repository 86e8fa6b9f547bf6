import { type Answered, type Browser, textAt } from '../browser.js'
import type { Center } from '../center.js'
import { askWho, MODE_CHOICE, type Mode, modeOf, signIn } from '../credentials.js'
import { script } from '../curl.js'
import type { Experiment, Lab, Text } from '../experiment.js'
import { USER } from '../people.js'

interface Deploy {
  /** The value of `AUTH_SECRETS`. */
  readonly secrets: readonly ('old' | 'new')[]
  readonly title: Text
}

const PLANS: Readonly<Record<string, readonly Deploy[]>> = {
  replaced: [
    { secrets: ['old'], title: { en: 'Before the restart', zh: '重启之前' } },
    { secrets: ['new'], title: { en: 'After the restart with another secret', zh: '换密钥重启之后' } },
  ],
  deploys: [
    { secrets: ['old'], title: { en: 'Before the deploys', zh: '部署之前' } },
    { secrets: ['old', 'new'], title: { en: 'Deploy 1: old,new', zh: '部署 1：old,new' } },
    { secrets: ['new', 'old'], title: { en: 'Deploy 2: new,old', zh: '部署 2：new,old' } },
    { secrets: ['new'], title: { en: 'Deploy 3: new', zh: '部署 3：new' } },
  ],
}

/** Half an hour and a second: past half of a cookie's life, and past an access token's. In seconds. */
const BETWEEN = 1801

/** A client of the token mode refreshes when its access token has expired. */
async function renewToken(browser: Browser, to: Center): Promise<void> {
  const answered = await browser.send({
    title: { en: 'Refresh the token', zh: '刷新令牌' },
    to,
    method: 'POST',
    path: '/refresh_token',
    body: { refresh_token: browser.storage.get('refresh token') },
  })
  if (answered.status === 200) keepTokens(browser, answered)
}

function keepTokens(browser: Browser, { json }: Answered): void {
  browser.storage.set('access token', textAt(json, 'data', 'token'))
  browser.storage.set('refresh token', textAt(json, 'data', 'refresh_token'))
}

/** Starts each server in the place of the one before, over the same store, and asks it. */
async function restart(lab: Lab, plan: readonly Deploy[], mode: Mode): Promise<Answered[]> {
  const { store, secret: old } = lab.system()
  const secrets = { old, new: lab.system().secret }
  const centers: Center[] = []
  for (const deploy of plan) {
    const suite = { secrets: deploy.secrets.map((name) => secrets[name]) }
    const center = await lab.center({ store, suite })
    await center.readPicture(USER)
    centers.push(center)
  }
  const [first] = centers
  if (!first) throw new Error('the plan has a first server')
  const browser = lab.browser(first)
  const { answered } = await signIn(browser, mode)
  if (mode === 'token') keepTokens(browser, answered)
  const answers: Answered[] = []
  for (const [index, center] of centers.entries()) {
    if (index > 1) lab.clock.advance(BETWEEN)
    if (index > 1 && mode === 'token') await renewToken(browser, center)
    answers.push(await askWho(browser, mode, plan[index]?.title ?? { en: '', zh: '' }, center))
  }
  return answers
}

function verdictOf(isReplaced: boolean, { status, error }: Answered): Text {
  if (isReplaced)
    return {
      en: `Only the old secret can verify its own signatures, so everybody is signed out: ${status} ${error}.`,
      zh: `只有原来的密钥能验证它自己的签名，所以所有人都被退出登录：${status} ${error}。`,
    }
  return {
    en: 'The servers accepted both secrets until the credential was renewed with the new one, so nobody was signed out.',
    zh: '在凭证换成由新密钥签发之前，服务器同时接受新旧两个密钥，所以没有人被退出登录。',
  }
}

const REPLACED = `
cookie=$(login -i "$BASE/login_cookie" | value_of identity)
IFS=. read -r version key rest <<< "$cookie"
echo "signed by the key $key"
# The same cookie under the id of another secret.
curl -s -H "Cookie: identity=$version.AAAAAAAA.$rest" "$BASE/user_info" | error
`
const DEPLOYS = `
first=$(login -i "$BASE/login_cookie" | value_of identity | cut -d. -f2)
second=$(login -i "$BASE/login_cookie" | value_of identity | cut -d. -f2)
echo "signed by the keys $first and $second"
[ "$first" = "$second" ] && echo 'one secret signs'
`

/** Changing the secret. */
export const anotherSecret: Experiment = {
  name: 'another-secret',
  title: { en: 'Another secret', zh: '换一个密钥' },
  claim: {
    en: 'Make a random secret when the server starts, and sign all credentials with it.',
    zh: '服务器启动时生成一个随机密钥，用它签发所有凭证。',
  },
  question: {
    en: 'You are signed in. The server restarts with another secret. Are you still signed in?',
    zh: '您已登录。服务器换了密钥并重启。您还处于登录状态吗？',
  },
  predictions: [
    { id: 'in', text: { en: 'Yes.', zh: '是。' } },
    { id: 'out', text: { en: 'No, and nobody else is.', zh: '不是，其他人也一样。' } },
  ],
  choices: [
    {
      id: 'change',
      label: { en: 'The change', zh: '更换方式' },
      options: [
        { id: 'replaced', text: { en: 'At once', zh: '一次换掉' } },
        { id: 'deploys', text: { en: 'In three deploys', zh: '分三次部署' } },
      ],
    },
    MODE_CHOICE,
  ],
  next: [
    { text: { en: 'Change it in three deploys.', zh: '分三次部署来更换。' } },
    {
      text: { en: 'Try to forge a token without the secret.', zh: '试试没有密钥能否伪造令牌。' },
      experiment: 'forged-tokens',
    },
  ],
  async run(lab, choices) {
    const { change = 'replaced' } = choices
    const plan = PLANS[change] ?? []
    const answers = await restart(lab, plan, modeOf(choices))
    const [first, last] = [answers[0], answers.at(-1)]
    if (!first || !last) throw new Error('every plan asks')
    return {
      right: last.status === 200 ? 'in' : 'out',
      exchanges: lab.exchanges,
      compare: [first.index, last.index],
      findings: plan.map(({ title, secrets }, index) => ({
        label: title,
        value: `AUTH_SECRETS=${secrets.join(',')}\n${answers[index]?.status} ${answers[index]?.error}`.trim(),
      })),
      verdict: verdictOf(change === 'replaced', last),
      curl:
        change === 'replaced'
          ? script(REPLACED, '"error":"CREDENTIAL_INVALID"')
          : script(DEPLOYS, 'one secret signs'),
    }
  },
}
