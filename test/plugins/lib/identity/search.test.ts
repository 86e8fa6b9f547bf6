import type { FastifyRequest } from 'fastify'
import t from 'tap'
import type {
  AuthMode,
  Identity,
  ModeName,
  RefusalCode,
  Resolution,
} from '../../../../plugins/lib/contract.js'
import type { Found } from '../../../../plugins/lib/identity/caller.js'
import type { Refused } from '../../../../plugins/lib/identity/refused.js'
import { Search, type SearchPolicy } from '../../../../plugins/lib/identity/search.js'
import { ALICE, identityFor, scriptedMode } from '../../../helpers/suite.js'

const request = {} as FastifyRequest
interface Outcome {
  identity: Identity | null
  mode: AuthMode | null
  refused: readonly Refused[]
}

class OutcomeSearch extends Search<Outcome> {
  protected override found(_request: FastifyRequest, mode: AuthMode, { identity }: Found): Outcome {
    return { identity, mode, refused: [] }
  }

  protected override foundNobody(_request: FastifyRequest, refused: readonly Refused[]): Outcome {
    return { identity: null, mode: null, refused }
  }
}

function findCaller(request: FastifyRequest, modes: readonly AuthMode[], policy: SearchPolicy, now?: number) {
  const search = new OutcomeSearch(policy)
  search.modes = modes
  return search.run(request, now)
}

const ABSENT: Resolution = { kind: 'absent' }

function setting() {
  const asked: string[] = []
  const mode = (name: ModeName, answer: Resolution, late = false): AuthMode =>
    scriptedMode(name, () => {
      asked.push(late ? `${name} later` : name)
      return late ? Promise.resolve(answer) : answer
    })
  return { asked, mode }
}
const refusedWith = (code: RefusalCode): Resolution => ({ kind: 'refused', code })
const alice = (name: ModeName): Resolution => ({ kind: 'identity', identity: identityFor(ALICE, name) })

t.test('without modes there is nobody', async (t) => {
  t.strictSame(findCaller(request, [], 'stop'), { identity: null, mode: null, refused: [] })
})

t.test('the first mode that recognises the caller ends the search', async (t) => {
  const { asked, mode } = setting()
  const modes = [mode('token', ABSENT), mode('session', alice('session')), mode('cookie', alice('cookie'))]
  const found = findCaller(request, modes, 'stop')
  t.notOk(found instanceof Promise, 'and no promise is made')
  t.match(await found, { identity: { mode: 'session' }, mode: { name: 'session' }, refused: [] })
  t.strictSame(asked, ['token', 'session'])
})

t.test('stop: a refusal ends the search; next: it does not', async (t) => {
  const { asked, mode } = setting()
  const modes = [mode('token', refusedWith('TOKEN_EXPIRED')), mode('cookie', alice('cookie'))]
  t.match(await findCaller(request, modes, 'stop'), { identity: null, mode: null })
  t.strictSame(asked, ['token'])
  t.match(await findCaller(request, modes, 'next'), { identity: { mode: 'cookie' } })
})

t.test('refusals are listed in order, by promise and without', async (t) => {
  const { asked, mode } = setting()
  const modes = [
    mode('token', refusedWith('TOKEN_INVALID')),
    mode('session', refusedWith('SIGNED_OUT'), true),
    mode('cookie', refusedWith('CREDENTIAL_EXPIRED')),
  ]
  const found = findCaller(request, modes, 'next')
  t.ok(found instanceof Promise)
  const { refused } = await found
  t.strictSame(
    refused.map(({ code, mode: { name } }) => [name, code]),
    [
      ['token', 'TOKEN_INVALID'],
      ['session', 'SIGNED_OUT'],
      ['cookie', 'CREDENTIAL_EXPIRED'],
    ],
  )
  t.strictSame(asked, ['token', 'session later', 'cookie'])
})

t.test('one search leaves nothing for the next', async (t) => {
  const { mode } = setting()
  const modes = [mode('token', refusedWith('TOKEN_INVALID'))]
  for (let times = 0; times < 3; times += 1) {
    t.equal((await findCaller(request, modes, 'next')).refused.length, 1)
  }
  t.equal((await findCaller(request, [], 'next')).refused.length, 0)
})

t.test('an answer that is no resolution is thrown, not passed over', async (t) => {
  const odd = { kind: 'nobody' } as unknown as Resolution
  t.throws(() => findCaller(request, [scriptedMode('token', () => odd)], 'next'), TypeError)
  await t.rejects(
    async () => findCaller(request, [scriptedMode('token', async () => odd)], 'next'),
    TypeError,
  )
})

t.test('a mode that is asked after a promise reads the clock itself: meanwhile it has gone on', async (t) => {
  const times: unknown[] = []
  const mode = (name: ModeName, answer: Resolution | Promise<Resolution>) => ({
    ...scriptedMode(name, () => answer),
    resolve(_request: FastifyRequest, now?: number) {
      times.push(now)
      return answer
    },
  })
  const modes = [
    mode('token', ABSENT),
    mode('session', Promise.resolve(ABSENT)),
    mode('cookie', alice('cookie')),
  ]
  t.match(await findCaller(request, modes, 'stop', 1000), { identity: { mode: 'cookie' } })
  t.strictSame(times, [1000, 1000, undefined])
})
