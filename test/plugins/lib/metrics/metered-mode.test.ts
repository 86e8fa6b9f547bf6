import type { FastifyReply, FastifyRequest } from 'fastify'
import t from 'tap'
import type { AuthMode, Resolution } from '../../../../plugins/lib/contract.js'
import { meterMode } from '../../../../plugins/lib/metrics/metered-mode.js'
import { ABSENT, SIGNED_OUT } from '../../../../plugins/lib/verified/verified.js'
import { scriptedMode } from '../../../helpers/suite.js'

const REQUEST = {} as FastifyRequest

function meter(resolve: AuthMode['resolve'], sampling = 1) {
  const observed: number[] = []
  const mode = scriptedMode('cookie', resolve)
  return { mode, observed, metered: meterMode(mode, sampling, (seconds) => observed.push(seconds)) }
}

t.test('a credential that came is timed, good or bad, and its absence is not', async (t) => {
  let resolution: Resolution = SIGNED_OUT
  const { metered, observed } = meter(() => resolution)
  t.equal(metered.resolve(REQUEST), SIGNED_OUT, 'without a promise')
  t.equal(observed.length, 1)
  resolution = ABSENT
  t.equal(metered.resolve(REQUEST), ABSENT)
  t.equal(observed.length, 1)
})

t.test('what has to ask is timed until it has an answer', async (t) => {
  let settle = (_resolution: Resolution) => {}
  const { metered, observed } = meter(
    () =>
      new Promise<Resolution>((resolve) => {
        settle = resolve
      }),
  )
  const running = metered.resolve(REQUEST)
  t.same(observed, [])
  settle(SIGNED_OUT)
  t.equal(await running, SIGNED_OUT)
  t.equal(observed.length, 1)
})

t.test('a fault is timed, and stays one', async (t) => {
  const late = meter(() => Promise.reject(new Error('late')))
  await t.rejects(async () => late.metered.resolve(REQUEST), { message: 'late' })
  t.equal(late.observed.length, 1)
  const early = meter(() => {
    throw new Error('early')
  })
  t.throws(() => early.metered.resolve(REQUEST), { message: 'early' })
  t.equal(early.observed.length, 1)
})

t.test('of many, about one in so many is timed, and all are answered', async (t) => {
  let asked = 0
  const { metered, observed } = meter(() => {
    asked++
    return SIGNED_OUT
  }, 16)
  for (let time = 0; time < 16_000; time++) metered.resolve(REQUEST)
  t.equal(asked, 16_000)
  t.ok(observed.length > 850 && observed.length < 1150, `${observed.length} of 16000`)
})

t.test('all else is the mode’s own', async (t) => {
  const calls: string[] = []
  const note = (name: string) => async () => void calls.push(name) as never
  const mode: AuthMode = {
    name: 'token',
    ambient: true,
    scheme: 'Bearer',
    cache: { hits: 3, misses: 4 },
    resolve: () => ABSENT,
    issue: note('issue'),
    stepUp: note('stepUp'),
    signOut: note('signOut'),
    clear: () => void calls.push('clear'),
  }
  const metered = meterMode(mode, 1, () => {})
  t.match(metered, { name: 'token', ambient: true, scheme: 'Bearer', cache: { hits: 3, misses: 4 } })
  const reply = {} as FastifyReply
  await metered.issue(REQUEST, reply, { id: 'a', username: 'a', role: 'user', epoch: 0 }, {})
  await metered.stepUp?.(REQUEST, reply, [], {})
  await metered.signOut(REQUEST, reply)
  metered.clear(REQUEST, reply)
  t.notOk(
    'stepUp' in
      meterMode(
        scriptedMode('cookie', () => ABSENT),
        1,
        () => {},
      ),
    'only if the mode has it',
  )
  t.same(calls, ['issue', 'stepUp', 'signOut', 'clear'])
})
