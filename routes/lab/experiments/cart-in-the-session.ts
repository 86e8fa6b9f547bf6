import type { FastifyInstance } from 'fastify'
import type { StateStore } from 'fastify-identity'
import type { Browser } from '../browser.js'
import { signIn } from '../credentials.js'
import { script } from '../curl.js'
import type { Experiment, Outcome, Text } from '../experiment.js'
import { overlay } from '../overlay.js'
import { signOut } from '../sign-out.js'

declare module 'fastify' {
  interface Session {
    cart?: string[]
  }
}

/** A shop with a cart for everybody. */
function cartRoutes(app: FastifyInstance): void {
  app.post('/shop/cart', { onRequest: app.useSession }, async ({ session }) => {
    session.cart = [...(session.cart ?? []), 'tea']
    return { cart: session.cart }
  })
  app.get('/shop/cart', { onRequest: app.useSession }, async ({ session }) => ({ cart: session.cart ?? [] }))
}

interface Stored {
  readonly key: string
  readonly record: Parameters<StateStore['createSession']>[1]
}

/** The store, noting each new session as it lies there. */
function noteSessions(store: StateStore, stored: Stored[]): StateStore {
  return overlay(store, {
    async createSession(key, record) {
      stored.push({ key, record })
      return store.createSession(key, record)
    },
  })
}

const look = (browser: Browser, title: Text) => browser.send({ title, path: '/shop/cart' })

function findingsOf(ids: readonly string[], stored: readonly Stored[]): Outcome['findings'] {
  const [visitor = '', signedIn = ''] = ids
  return [
    { label: { en: 'Session cookie of the visitor', zh: '访客的会话 Cookie' }, value: visitor },
    { label: { en: 'Session cookie after the sign-in', zh: '登录后的会话 Cookie' }, value: signedIn },
    ...stored.map(({ key, record }, index) => ({
      label:
        index === 0
          ? { en: 'The visitor’s session in the store', zh: '存储中的访客会话' }
          : { en: 'The session after the sign-in, in the store', zh: '存储中登录后的会话' },
      value: JSON.stringify({ key, ...record }, null, 2),
    })),
  ]
}

/** What happens to session data at a sign-in and a sign-out, and what the store can read of it. */
export const cartInTheSession: Experiment = {
  name: 'cart-in-the-session',
  title: { en: 'A cart before and after signing in and out', zh: '登录和退出前后的购物车' },
  claim: {
    en: 'A session keeps the visitor’s data on the server, where only the application can read it.',
    zh: '会话把访客的数据保存在服务器上，只有应用能读到。',
  },
  question: {
    en: 'A visitor puts tea into the cart, signs in, and signs out again. How long does the tea stay in the cart?',
    zh: '访客把茶放进购物车，登录，再退出登录。茶会在购物车里留到什么时候？',
  },
  predictions: [
    { id: 'always', text: { en: 'All the time.', zh: '一直都在。' } },
    { id: 'until-sign-in', text: { en: 'Until the sign-in.', zh: '直到登录为止。' } },
    { id: 'until-sign-out', text: { en: 'Until the sign-out.', zh: '直到退出登录为止。' } },
  ],
  choices: [],
  next: [
    {
      text: { en: 'See why the id changes at the sign-in.', zh: '看看登录时 ID 为什么要变。' },
      experiment: 'planted-session-id',
    },
  ],
  async run(lab) {
    const stored: Stored[] = []
    const system = lab.system()
    const center = await lab.center({
      ...system,
      store: noteSessions(system.store, stored),
      routes: cartRoutes,
    })
    const browser = lab.browser(center)
    await browser.send({
      title: { en: 'The visitor puts tea into the cart', zh: '访客把茶放进购物车' },
      method: 'POST',
      path: '/shop/cart',
      body: {},
    })
    const visitor = browser.cookies.get('session')?.value ?? ''
    const { credential } = await signIn(browser, 'session')
    const signedIn = await look(browser, { en: 'The cart after the sign-in', zh: '登录之后的购物车' })
    await signOut(browser, 'session')
    const signedOut = await look(browser, { en: 'The cart after the sign-out', zh: '退出登录之后的购物车' })
    const hasTea = (index: number) => lab.exchanges[index]?.response.body.includes('tea') ?? false
    const last = hasTea(signedIn.index) ? 'until-sign-out' : 'until-sign-in'
    return {
      right: hasTea(signedOut.index) ? 'always' : last,
      exchanges: lab.exchanges,
      compare: [signedIn.index, signedOut.index],
      findings: findingsOf([visitor, credential], stored),
      verdict: {
        en: 'The tea moved into the new session at the sign-in, and the sign-out deleted this session with the tea.',
        zh: '登录时茶转入新会话，退出登录时随该会话一起删除。',
      },
      curl: script(
        `
cookie=$(login -i "$BASE/login_session" | value_of session)
curl -s -H "Cookie: session=$cookie" "$BASE/inspector" | grep -o '"session":{.*'
curl -s -X POST -H "Cookie: session=$cookie" "$BASE/logout_session"; echo
curl -s -H "Cookie: session=$cookie" "$BASE/user_info" | error
`,
        '"error":"SIGNED_OUT"',
      ),
    }
  },
}
