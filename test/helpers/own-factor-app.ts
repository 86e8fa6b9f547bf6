import Fastify, { type FastifyServerOptions } from 'fastify'
import type { Test } from 'tap'
import type { AuditEvent } from '../../plugins/audit.js'
import type { FactorProof, FactorsOptions } from '../../plugins/factors.js'
import fastifyIdentity, { type Credentials, type StateStore } from '../../plugins/index.js'
import type { CheckedAccount } from '../../plugins/lib/contract.js'
import { createMemoryStore } from '../../plugins/lib/stores/memory/store.js'
import { memoryFactors } from './memory-factors.js'
import { SECRET, TestClock } from './suite.js'
import { totpCode } from './totp.js'

export interface FactorAppOptions {
  readonly factors?: FactorsOptions
  readonly secrets?: readonly string[]
  readonly clock?: TestClock
  readonly store?: StateStore
  readonly server?: FastifyServerOptions
  readonly throttle?: object | null
}

const PASSWORD = 'correct horse'

/** Accounts of an application: everybody with a name that begins in a small letter. Epochs can be raised. */
function makeAccounts() {
  const epochs = new Map<string, number>()
  const find = (id: string): CheckedAccount | null =>
    /^[a-z]/.test(id) ? { id, username: id, role: 'user', epoch: epochs.get(id) ?? 0 } : null
  return {
    of: (name: string) => find(name) as CheckedAccount,
    raise: (name: string) => void epochs.set(name, (epochs.get(name) ?? 0) + 1),
    source: {
      verify: async (name: string, password: string) => (password === PASSWORD ? find(name) : null),
      find: async (id: string) => find(id),
    },
  }
}

interface Confirming {
  readonly account: string
  readonly id: string
  readonly code: string
  readonly name?: string
}

interface Verifying {
  readonly account: string
  readonly proof: FactorProof
}

/** An application on the suite with accounts of its own and second factors. */
export async function buildFactorApp(t: Test, options: FactorAppOptions = {}) {
  const { clock = new TestClock(), secrets = [SECRET], throttle = {} } = options
  const accounts = makeAccounts()
  const app = Fastify({ pluginTimeout: 0, ...options.server })
  t.teardown(() => app.close())
  await app.register(fastifyIdentity, {
    secrets,
    state: { store: options.store ?? createMemoryStore() },
    accounts: accounts.source,
    clock: clock.read,
    secure: false,
    ...(throttle && { throttle }),
    factors: { source: memoryFactors().source, ...options.factors },
  })
  const events: AuditEvent[] = []
  app.audit.subscribe((event) => void events.push(event))
  app.post<{ Body: Credentials }>('/login', (request) =>
    app.throttle.signIn(request, 'token', request.body).catch((error) => {
      if (error.code !== 'SECOND_FACTOR_REQUIRED') throw error
      return error.data
    }),
  )
  app.post<{ Body: { pending: string; proof: FactorProof } }>('/finish', async (request) => {
    const { mode, left } = await app.factors.finishSignIn(request, request.body.pending, request.body.proof)
    return { mode, left }
  })
  app.post<{ Body: Confirming }>('/confirm', (request) => {
    const { account, id, code, name } = request.body
    return app.factors.confirmTotp(request, accounts.of(account), id, code, name)
  })
  app.post<{ Body: Verifying }>('/verify', async (request) => {
    const { account, proof } = request.body
    const scope = { purpose: 'step_up', subject: 'x', accountId: account } as const
    return { verified: await app.factors.verify(request, accounts.of(account), proof, scope) }
  })
  await app.ready()

  const post = (url: string, payload: object) => app.inject({ method: 'POST', url, payload })
  const login = async (username: string) => (await post('/login', { username, password: PASSWORD })).json()
  return {
    ...{ app, clock, accounts, events, post, login },
    verify: async (account: string, factor: 'totp' | 'recovery_code', code: unknown) =>
      post('/verify', { account, proof: { factor, code } }),
    finish: async (pending: string, factor: 'totp' | 'recovery_code', code: string) =>
      post('/finish', { pending, proof: { factor, code } }),
    /** Enrols an authenticator app. The next code is one of the next step. */
    async enrol(account: string, name?: string) {
      const { id, secret } = await app.factors.beginTotp(accounts.of(account))
      const code = totpCode(secret, clock.now)
      const confirmed = await post('/confirm', { account, id, code, ...(name === undefined ? {} : { name }) })
      t.equal(confirmed.statusCode, 200, confirmed.body)
      clock.now += 30_000
      const recoveryCodes: string[] = confirmed.json().recoveryCodes
      return { id, secret, recoveryCodes, code: (ahead = 0) => totpCode(secret, clock.now, ahead) }
    },
  }
}
