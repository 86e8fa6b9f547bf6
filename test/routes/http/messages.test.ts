import Fastify from 'fastify'
import t from 'tap'
import * as suiteErrors from '../../../plugins/lib/errors.js'
import * as routeErrors from '../../../routes/http/errors.js'
import { isMessageKey, messageFor } from '../../../routes/http/messages.js'

const ENGLISH = 'You are not signed in.'
const CHINESE = '您尚未登录。'

const app = Fastify()
app.get('/:key', async (request) => {
  const { key } = request.params as { key: string }
  return { message: isMessageKey(key) ? messageFor(request, key) : null }
})

async function messageOf(key: string, language?: string | string[]): Promise<string> {
  const headers = language === undefined ? {} : { 'accept-language': language }
  return (await app.inject({ url: `/${key}`, headers })).json().message
}

t.test('people are told in Chinese when they prefer it, and in English otherwise', async (t) => {
  const rows: [language: string | string[] | undefined, message: string][] = [
    [undefined, ENGLISH],
    ['', ENGLISH],
    ['en', ENGLISH],
    ['zh', CHINESE],
    ['ZH', CHINESE],
    ['zh-CN', CHINESE],
    ['zh-Hant-TW', CHINESE],
    ['zh-CN,zh;q=0.9,en;q=0.8', CHINESE],
    ['en-US,en;q=0.9,zh-CN;q=0.8,zh;q=0.7', ENGLISH],
    ['en;q=0.5,zh;q=0.6', CHINESE],
    [' en;q=0.5 , zh;q=0.6 ', CHINESE],
    ['en; q=0.5, zh; q=0.4', ENGLISH],
    ['zh;q=0.8,en;q=0.8', ENGLISH],
    ['zh,en', ENGLISH],
    ['de,zh;q=0.3', CHINESE],
    ['de,fr', ENGLISH],
    ['zh;q=0', ENGLISH],
    ['zh;q=0,de', ENGLISH],
    ['zh;q=0.001', CHINESE],
    ['zh;Q=0.5,en;Q=0.6', ENGLISH],
    ['*', ENGLISH],
    ['zh,*;q=0.5', CHINESE],
    ['zh;q=0.5,*', ENGLISH],
    ['en;q=0,*', CHINESE],
    ['en;q=0.1,*;q=0.2', CHINESE],
    ['zha', ENGLISH],
    ['za-zh', ENGLISH],
    ['z', ENGLISH],
    ['zh;q=', CHINESE],
    ['zh;q=x,en;q=0.1', CHINESE],
    ['zh;q=1.2.3', ENGLISH],
    [';q=1,zh', CHINESE],
    [',,zh,,', CHINESE],
    ['-zh', CHINESE],
    ['constructor', ENGLISH],
    [['en;q=0.2', 'zh;q=0.4'], CHINESE],
    [`${'de,'.repeat(3000)}zh`, CHINESE],
    [`zh;${' '.repeat(8000)}q=0.1,en;q=0.2`, ENGLISH],
  ]
  for (const [language, message] of rows) {
    t.equal(await messageOf('NOT_SIGNED_IN', language), message, String(language).slice(0, 60))
  }
})

t.test('every refusal that a client can be given has a message in both languages', async (t) => {
  const errors = Object.values({ ...suiteErrors, ...routeErrors }).map((Refusal) => new Refusal(''))
  const given = errors.filter(({ statusCode }) => statusCode !== 500)
  t.ok(given.length > 15)
  for (const { code } of [
    ...given,
    { code: 'BODY_TOO_LARGE' },
    { code: 'CONTENT_TYPE_UNSUPPORTED' },
    { code: 'INTERNAL' },
  ]) {
    t.ok(isMessageKey(code), code)
    t.match(await messageOf(code, 'en'), /^[\x20-\x7e]+\.$/, `${code} in English`)
    t.match(await messageOf(code, 'zh'), /\p{Script=Han}.*。$/u, `${code} in Chinese`)
  }
})

t.test('mistakes in the application have none: they are INTERNAL to a client', async (t) => {
  for (const Mistake of Object.values(suiteErrors)) {
    const { code, statusCode } = new Mistake('')
    if (statusCode === 500) t.notOk(isMessageKey(code), code)
  }
  for (const code of ['', 'constructor', '__proto__', 'toString', 'FST_ERR_VALIDATION'])
    t.notOk(isMessageKey(code), code)
})

t.test('an answer with Retry-After does not say twice when to try again', async (t) => {
  for (const key of ['THROTTLED', 'BUSY', 'STORE_UNAVAILABLE', 'STOPPING'])
    for (const language of ['en', 'zh'])
      t.notMatch(await messageOf(key, language), /again|later|重试|稍后/, key)
})
