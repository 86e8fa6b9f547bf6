import Fastify, { type FastifyInstance } from 'fastify'
import suite, {
  type AccountSource,
  type ModeName,
  type Profile,
  type StateStore,
} from '../../plugins/index.js'
import type { Gate } from './history-gate.js'
import { SECRET, type TestClock } from './suite.js'

/** A row of the application's accounts: the password is in clear, and the epoch counts its changes. */
interface Row extends Profile {
  readonly password: string
  readonly epoch: number
}

declare module 'fastify' {
  interface Session {
    [key: `w${number}`]: number
  }
}

/** Accounts that the instances share as they would a database. A row is read and changed in one step. */
export class HistoryAccounts implements AccountSource {
  readonly #rows = new Map<string, Row>()

  constructor(private readonly gate: Gate) {}

  add(id: string): void {
    this.#rows.set(id, { id, username: id, role: 'user', password: 'first', epoch: 0, spared: null })
  }

  passwordOf(id: string): string {
    return this.#rows.get(id)?.password ?? ''
  }

  verify(username: string, password: string) {
    return this.gate.pass(() => {
      const row = this.#rows.get(username)
      return row?.password === password ? row : null
    })
  }

  find(id: string) {
    return this.gate.pass(() => this.#rows.get(id) ?? null)
  }

  /** The change and the end of what was issued before, in one statement. */
  changePassword(id: string, current: string, password: string, spared: string) {
    return this.gate.pass(() => {
      const row = this.#rows.get(id)
      if (row?.password !== current) return null
      const changed = { ...row, password, spared, epoch: row.epoch + 1 }
      this.#rows.set(id, changed)
      return changed
    })
  }
}

interface Login {
  readonly Params: { readonly mode: ModeName }
  readonly Body: { readonly username: string; readonly password: string }
}

function addOpenRoutes(app: FastifyInstance, accounts: HistoryAccounts): void {
  app.post<Login>('/login/:mode', async (request, reply) => {
    const account = await accounts.verify(request.body.username, request.body.password)
    if (!account) return reply.code(403).send({ code: 'WRONG_PASSWORD' })
    return { issued: await request.signIn(request.params.mode, account), epoch: account.epoch }
  })
  app.post<Pick<Login, 'Params'>>('/logout/:mode', async (request) => ({
    ended: await request.signOut(request.params.mode),
  }))
  app.post<{ Body: { token: string } }>('/refresh', (request) =>
    app.refreshTokens.refresh(request, request.body.token),
  )
}

function addGuardedRoutes(app: FastifyInstance, accounts: HistoryAccounts): void {
  const preHandler = app.guard()
  app.get('/me', { preHandler }, async (request) => request.identity)
  app.post('/end_others', { preHandler }, async ({ identity }) => ({
    ended: await app.signIns.endAll(identity.accountId, identity.signInId),
  }))
  app.post<{ Body: { current: string; next: string } }>(
    '/password',
    { preHandler },
    async (request, reply) => {
      const { accountId, signInId } = request.identity
      const { current, next } = request.body
      const changed = await accounts.changePassword(accountId, current, next, signInId)
      if (!changed) return reply.code(403).send({ code: 'WRONG_PASSWORD' })
      await app.signIns.raiseEpoch(changed, { spare: signInId })
      return { epoch: changed.epoch }
    },
  )
  const withSession = { preHandler: [preHandler, app.useSession] }
  app.get('/data', withSession, async (request) => ({ ...request.session, cookie: undefined }))
  app.post<{ Body: { key: `w${number}` } }>('/data', withSession, async (request) => {
    request.session[request.body.key] = 1
    return {}
  })
}

/** An application with every mode, and a route for each thing that a history does. */
export async function historyApp(
  store: StateStore,
  accounts: HistoryAccounts,
  clock: TestClock,
): Promise<FastifyInstance> {
  const app = Fastify({ pluginTimeout: 0 })
  await app.register(suite, {
    secrets: [SECRET],
    clock: clock.read,
    state: { store },
    accounts,
    secure: false,
    signInCap: 1000,
  })
  addOpenRoutes(app, accounts)
  addGuardedRoutes(app, accounts)
  await app.ready()
  return app
}
