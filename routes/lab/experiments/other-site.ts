import type { Answered, Browser } from '../browser.js'
import { askWho, carry, signIn } from '../credentials.js'
import { script } from '../curl.js'
import type { Experiment, Text } from '../experiment.js'
import { USER } from '../people.js'

const OTHER = 'http://evil.example'

interface Attack {
  readonly text: Text
  readonly right: 'both' | 'check'
  readonly verdict: Text
  /** @param credential the victim's cookie */
  send(browser: Browser, credential: string): Promise<Answered>
  readonly curl: string
}

const FROM_OTHER: Text = { en: 'The other site signs you out', zh: '另一个网站让您退出登录' }

const ATTACKS: Readonly<Record<string, Attack>> = {
  form: {
    text: { en: 'A form that posts itself', zh: '自动提交的表单' },
    right: 'both',
    verdict: {
      en: 'SameSite=Lax made the browser leave the cookie out, and the same-origin check refused the request with 403 CROSS_SITE.',
      zh: 'SameSite=Lax 让浏览器没有带上 Cookie，同源检查也以 403 CROSS_SITE 拒绝了请求。',
    },
    send: (browser) =>
      browser.send({
        title: FROM_OTHER,
        method: 'POST',
        path: '/logout_cookie',
        from: { origin: OTHER },
        isNavigation: true,
      }),
    curl: `
curl -s -X POST -H 'Sec-Fetch-Site: cross-site' -H 'Origin: ${OTHER}' "$BASE/logout_cookie" | error
`,
  },
  link: {
    text: { en: 'A link that somebody follows', zh: '有人点击的链接' },
    right: 'check',
    verdict: {
      en: 'The browser sends a SameSite=Lax cookie when somebody follows a link, so only the same-origin check stopped the request, with 403 CROSS_SITE.',
      zh: '点击链接时，浏览器会带上 SameSite=Lax 的 Cookie，所以只有同源检查以 403 CROSS_SITE 阻止了请求。',
    },
    send: (browser) =>
      browser.send({
        title: FROM_OTHER,
        path: '/logout_cookie',
        from: { origin: OTHER },
        isNavigation: true,
      }),
    curl: `
cookie=$(login -i "$BASE/login_cookie" | value_of identity)
curl -s -H "Cookie: identity=$cookie" -H 'Sec-Fetch-Site: cross-site' "$BASE/logout_cookie" | error
`,
  },
  old: {
    text: { en: 'A form, in an old browser without SameSite', zh: '表单，旧浏览器不认识 SameSite' },
    right: 'check',
    verdict: {
      en: 'The old browser sent the cookie, but Origin named the other site, so the same-origin check refused the request with 403 CROSS_SITE.',
      zh: '旧浏览器带上了 Cookie，但 Origin 写着另一个网站，所以同源检查以 403 CROSS_SITE 拒绝。',
    },
    send: (browser, credential) =>
      browser.send({
        title: FROM_OTHER,
        method: 'POST',
        path: '/logout_cookie',
        from: 'program',
        headers: { ...carry('cookie', credential), origin: OTHER },
      }),
    curl: `
cookie=$(login -i "$BASE/login_cookie" | value_of identity)
curl -s -X POST -H "Cookie: identity=$cookie" -H 'Origin: ${OTHER}' "$BASE/logout_cookie" | error
`,
  },
}

function attackOf(id: string): Attack {
  const attack = ATTACKS[id]
  if (!attack) throw new Error('the route lets only listed choices through')
  return attack
}

/** Cross-site request forgery. */
export const otherSite: Experiment = {
  name: 'other-site',
  title: { en: 'Another site posts', zh: '另一个网站发起请求' },
  claim: {
    en: 'The browser sends the cookie with every request, so any site can act for a signed-in visitor.',
    zh: '浏览器在每个请求中都会带上 Cookie，所以任何网站都能替已登录的访客操作。',
  },
  question: {
    en: 'You are signed in by cookie. A page of another site tries to sign you out. What stops it?',
    zh: '您以 Cookie 方式登录。另一个网站的页面试图让您退出登录。什么会阻止它？',
  },
  predictions: [
    { id: 'nothing', text: { en: 'Nothing: you are signed out.', zh: '什么也阻止不了：您已退出登录。' } },
    {
      id: 'check',
      text: {
        en: 'One thing: the cookie arrives, but the same-origin check refuses the request.',
        zh: '一道防线：Cookie 会到达，但同源检查会拒绝请求。',
      },
    },
    {
      id: 'both',
      text: {
        en: 'Two things: SameSite keeps the browser from sending the cookie, and the same-origin check refuses the request.',
        zh: '两道防线：SameSite 不让浏览器带上 Cookie，同源检查也会拒绝请求。',
      },
    },
  ],
  choices: [
    {
      id: 'attack',
      label: { en: 'The other page has', zh: '另一个网站的页面上有' },
      options: Object.entries(ATTACKS).map(([id, { text }]) => ({ id, text })),
    },
  ],
  next: [
    {
      text: {
        en: 'Let another site do it in your own browser, with throwaway cookies.',
        zh: '在您自己的浏览器里试一试（使用一次性的 Cookie）。',
      },
      path: '/lab/other-site/start',
    },
    {
      text: {
        en: 'See what a script inside your own page can do.',
        zh: '看看您自己页面里的脚本能做什么。',
      },
      experiment: 'injected-script',
    },
  ],
  async run(lab, { attack = 'form' }) {
    const { right, verdict, send, curl } = attackOf(attack)
    const center = await lab.center()
    await center.readPicture(USER)
    const browser = lab.browser(center)
    const { credential } = await signIn(browser, 'cookie')
    const attacked = await send(browser, credential)
    const after = await askWho(browser, 'cookie', { en: 'You ask who you are', zh: '您询问自己的身份' })
    const own = await browser.send({
      title: { en: 'The same from our own page', zh: '同样的请求，来自我们自己的页面' },
      method: 'POST',
      path: '/logout_cookie',
    })
    const cookie = lab.exchanges[attacked.index]?.request.headers.find(([name]) => name === 'cookie')
    return {
      right: after.status === 200 ? right : 'nothing',
      exchanges: lab.exchanges,
      compare: [attacked.index, own.index],
      findings: [
        {
          label: { en: 'Cookie header from the other site', zh: '来自另一个网站的 Cookie 请求头' },
          value: cookie?.[1] ?? '–',
        },
      ],
      verdict,
      curl: script(curl, '"error":"CROSS_SITE"'),
    }
  },
}
