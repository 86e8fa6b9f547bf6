import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { type Test, test } from 'tap'
import { type AnswerWork, beforeAnswer, finishAnswer } from '../../../../plugins/lib/http/before-answer.js'
import { buildSuite, cookieMode, sessionMode, tokenMode } from '../../../helpers/suite.js'

/** What was done, in order, by answer. */
const done: string[] = []

/** An app whose `GET /` notes these. */
function start(t: Test, ...works: AnswerWork[]) {
  const app = Fastify()
  done.length = 0
  t.teardown(() => app.close())
  app.addHook('onSend', finishAnswer)
  app.get('/', async (request) => {
    for (const work of works) beforeAnswer(request, work)
    return 'answered'
  })
  return app
}

const note = (what: string) => () => void done.push(what)

const later = (what: string) => async () => {
  await new Promise(setImmediate)
  done.push(what)
}

test('what was noted is done in order, each after the one before it has ended', async (t) => {
  const app = start(t, later('a'), note('b'), later('c'), note('d'))
  for (let i = 0; i < 2; i++) {
    t.equal((await app.inject('/')).body, 'answered')
    t.strictSame(done.splice(0), ['a', 'b', 'c', 'd'])
  }
})

test('work may note more', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  app.addHook('onSend', finishAnswer)
  app.get('/', async (request) => {
    beforeAnswer(request, () => beforeAnswer(request, note('c')))
    beforeAnswer(request, note('b'))
    return 'answered'
  })
  done.length = 0
  t.equal((await app.inject('/')).body, 'answered')
  t.strictSame(done, ['b', 'c'])
})

for (const [how, fail] of [
  [
    'throws',
    (error: Error) => {
      throw error
    },
  ],
  ['rejects', (error: Error) => Promise.reject(error)],
] as const) {
  test(`work that ${how} makes the answer an error, once, and the rest is done for that`, async (t) => {
    const failing = () => {
      note('!')()
      return fail(Object.assign(new Error('no store'), { statusCode: 503 }))
    }
    const answer = await start(t, note('a'), failing, later('b')).inject('/')
    t.equal(answer.statusCode, 503)
    t.match(answer.json(), { message: 'no store' })
    t.strictSame(done, ['a', '!', 'b'])
  })
}

test('another hook that fails does not have it done twice', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  app.addHook('onSend', finishAnswer)
  app.addHook('onSend', async (_request, reply) => {
    if (reply.statusCode === 200) throw new Error('not this one')
  })
  app.get('/', async (request) => {
    beforeAnswer(request, later('a'))
    return 'answered'
  })
  done.length = 0
  t.equal((await app.inject('/')).statusCode, 500)
  t.strictSame(done, ['a'])
})

test('where nothing was noted it is done at once, and no promise made', async (t) => {
  let isDone = false
  const request = {} as FastifyRequest
  const returned: unknown = finishAnswer(request, {} as FastifyReply, '', () => {
    isDone = true
  })
  t.ok(isDone)
  t.equal(returned, undefined)
  t.strictSame(Reflect.ownKeys(request), [], 'and nothing is written to the request')
})

test('it is the only hook that the suite has there', async (t) => {
  const hooks: string[] = []
  const { app } = await buildSuite(t, {
    modes: [tokenMode(), sessionMode(), cookieMode()],
    before(app) {
      const { addHook } = app
      app.addHook = function noteHook(this: FastifyInstance, name: never, hook: () => void) {
        if (this === app && name === 'onSend') hooks.push(hook.name)
        return addHook.call(this, name, hook as never)
      } as typeof addHook
    },
  })
  t.strictSame(hooks, [finishAnswer.name])
  t.notOk(app.hasPlugin('@fastify/cookie'))
})
