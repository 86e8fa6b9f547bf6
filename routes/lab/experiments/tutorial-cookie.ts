import type { FastifyInstance } from 'fastify'
import { textAt } from '../browser.js'
import { askWho, carry, edited, signIn } from '../credentials.js'
import { script } from '../curl.js'
import type { Experiment } from '../experiment.js'
import { credentialsOf, USER } from '../people.js'
import type { Text } from '../text.js'

/** The login of many tutorials: it believes whatever name the cookie has. In the lab only. */
function tutorialRoutes(app: FastifyInstance): void {
  app.post('/tutorial/login', async (_request, reply) => {
    reply.header('set-cookie', 'username=user1; Path=/; HttpOnly')
    return { hello: 'user1' }
  })
  app.get('/tutorial/me', async ({ headers: { cookie = '' } }) => {
    const [, hello = 'stranger'] = /(?:^|; )username=([^;]*)/.exec(cookie) ?? []
    return { hello }
  })
}

/** The same cookie, with another username inside and the old signature. */
function renamed(cookie: string, username: string): string {
  const [version, key, payload = '', mac] = cookie.split('.')
  const content: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString())
  const changed = Buffer.from(JSON.stringify(Object.assign({}, content, { username }))).toString('base64url')
  return [version, key, changed, mac].join('.')
}

function verdictOf(hello: string, error: string): Text {
  if (error === '')
    return {
      en: 'This edit changed nothing, so both servers accept the cookie.',
      zh: '这次编辑没有改变任何字符，所以两个服务器都照常接受。',
    }
  return {
    en: `The tutorial’s server greets ${hello}, while ours finds a wrong signature and refuses the cookie with 403 ${error}.`,
    zh: `教程的服务器向 ${hello} 问好，而我们的服务器发现签名不符，以 403 ${error} 拒绝。`,
  }
}

/** An unsigned cookie is only a claim. */
export const tutorialCookie: Experiment = {
  name: 'tutorial-cookie',
  title: { en: 'The tutorial’s cookie', zh: '教程里的 Cookie' },
  claim: {
    en: 'After the login, the server sets a cookie with the username, and trusts it in later requests.',
    zh: '登录后，服务器把用户名写进 Cookie，并在之后的请求中信任它。',
  },
  question: {
    en: 'Somebody signs in as user1, and changes the name in the cookie to admin. Does the tutorial’s server believe it, and does ours?',
    zh: '有人以 user1 登录，再把 Cookie 里的用户名改成 admin。教程的服务器会相信吗？我们的呢？',
  },
  predictions: [
    { id: 'both', text: { en: 'Both: the tutorial’s and ours.', zh: '教程的服务器和我们的都会。' } },
    { id: 'tutorial', text: { en: 'Only the tutorial’s.', zh: '只有教程的服务器会。' } },
    { id: 'none', text: { en: 'Neither: cookies cannot be changed.', zh: '都不会：Cookie 无法修改。' } },
  ],
  choices: [],
  edit: 'credential',
  next: [
    { text: { en: 'Change the username yourself.', zh: '自己改一改用户名。' } },
    {
      text: { en: 'Change a single character of a signed credential.', zh: '只改动已签名凭证的一个字符。' },
      experiment: 'read-without-a-key',
    },
  ],
  async run(lab, _choices, edit) {
    const name = edit ? edited(USER.username, edit) : 'admin'
    const center = await lab.center({ routes: tutorialRoutes })
    await center.readPicture(USER)
    const victim = lab.browser(center)
    await victim.send({
      title: { en: 'Sign in at the tutorial’s server', zh: '在教程的服务器上登录' },
      method: 'POST',
      path: '/tutorial/login',
      body: credentialsOf(USER),
    })
    const believed = await victim.send({
      title: {
        en: `The tutorial’s server, with username=${name}`,
        zh: `教程的服务器，username=${name}`,
      },
      path: '/tutorial/me',
      headers: { cookie: `username=${name}` },
    })
    const browser = lab.browser(center)
    const { credential } = await signIn(browser, 'cookie')
    await askWho(browser, 'cookie', {
      en: 'Our server, with its own cookie',
      zh: '我们的服务器，原样的 Cookie',
    })
    const forged = renamed(credential, name)
    const refused = await browser.send({
      title: { en: `Our server, with ${name} in the cookie`, zh: `我们的服务器，Cookie 里改成 ${name}` },
      path: '/user_info',
      headers: carry('cookie', forged),
    })
    return {
      right: refused.error === '' ? 'both' : 'tutorial',
      exchanges: lab.exchanges,
      compare: [believed.index, refused.index],
      findings: [
        {
          label: { en: 'The tutorial’s cookie: its whole value', zh: '教程的 Cookie 的全部内容' },
          value: USER.username,
        },
        { label: { en: 'Our cookie', zh: '我们的 Cookie' }, value: credential },
        { label: { en: 'The forged cookie', zh: '伪造的 Cookie' }, value: forged },
      ],
      verdict: verdictOf(textAt(believed.json, 'hello'), refused.error),
      curl: script(
        `
cookie=$(login -i "$BASE/login_cookie" | value_of identity)
IFS=. read -r version key payload mac <<< "$cookie"
forged=$(printf %s "$payload" | decode | sed 's/"username":"user1"/"username":"admin"/' | encode)
curl -s -H "Cookie: identity=$version.$key.$forged.$mac" "$BASE/user_info" | error
`,
        '"error":"CREDENTIAL_INVALID"',
      ),
    }
  },
}
