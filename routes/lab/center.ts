import { TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox'
import Fastify, { type FastifyInstance, type LightMyRequestResponse } from 'fastify'
import fastifyIdentity, { type StateStore, type SuiteOptions } from 'fastify-identity'
import type { AuditReport } from 'fastify-identity/audit'
import { readConfig } from 'fastify-identity/config'
import { signedIn } from 'fastify-identity/testing'
import { apiRoutes } from '../api.js'
import { useSecurityHeaders } from '../http/security-headers.js'
import { labApiKeys } from './api-keys.js'
import type { Question } from './exchange.js'
import { labFactors } from './factors.js'
import { accountOf, labAccounts, type Person } from './people.js'
import { ACCOUNT_WORDS, type Judged, recalled, tellQuestions } from './questions.js'
import quietAudit from './quiet-audit.js'

export interface CenterOptions {
  /** Two user centers with the same store and secret are two servers of one system. */
  readonly store: StateStore
  readonly secret: string
  readonly clock: () => number
  /** Where browsers find it. `https:` makes its cookies `Secure`. */
  readonly origin: string
  /** Further options of the suite: the throttle's limits, lifetimes. */
  readonly suite: Partial<SuiteOptions>
  /** Further routes, such as a cart or a tutorial's login. */
  readonly routes: (app: FastifyInstance) => void
}

/** A request as it reaches the server. */
export interface Incoming {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | null
  readonly ip: string
}

/** What a user center tells of the request that it answers. */
interface Heard {
  asked: Question[]
  judged: Judged
}

const NOBODY: Judged = { caller: null, refusedAs: null }

/** The real server's settings of a development start, whatever this machine's are. */
const CONFIG = readConfig({ METRICS: 'false', DOCS: 'false', LAB: 'false' })

/** A user center of its own: the suite and the API's routes on a store in memory. Nothing of it outlives a run. */
export class Center {
  /** What the audit log would say, in order. */
  readonly events: readonly AuditReport[]
  readonly origin: URL
  readonly store: StateStore
  readonly #heard: Heard

  private constructor(
    readonly app: FastifyInstance,
    { origin, store }: CenterOptions,
    { events, heard }: { readonly events: AuditReport[]; readonly heard: Heard },
  ) {
    this.origin = new URL(origin)
    this.store = store
    this.events = events
    this.#heard = heard
  }

  static async open(options: CenterOptions): Promise<Center> {
    const app = Fastify({ pluginTimeout: 0, routerOptions: { maxParamLength: 256 } })
    const events: AuditReport[] = []
    const heard: Heard = { asked: [], judged: NOBODY }
    app.setValidatorCompiler(TypeBoxValidatorCompiler)
    useSecurityHeaders(app)
    await app.register(quietAudit, { events })
    await app.register(
      fastifyIdentity,
      suiteOptions(options, (question) => heard.asked.push(question)),
    )
    noteCallers(app, heard)
    await app.register(apiRoutes, CONFIG)
    app.register(async (scope) => options.routes(scope))
    await app.ready()
    return new Center(app, options, { events, heard })
  }

  /** Answers without a socket: `inject` bypasses the HTTP parser. */
  async answer({ method, path, headers, body, ip }: Incoming): Promise<{
    readonly response: LightMyRequestResponse
    readonly asked: readonly Question[]
  }> {
    Object.assign(this.#heard, { asked: [], judged: NOBODY })
    const response = await this.app.inject({
      method,
      url: path,
      headers: { 'user-agent': 'lab', ...headers },
      remoteAddress: ip,
      ...(body === null ? {} : { payload: body }),
    })
    // The suite notes the last use of a sign-in after the answer.
    await new Promise(setImmediate)
    const { asked, judged } = this.#heard
    return {
      response,
      asked: [
        ...recalled(judged, asked),
        ...asked.filter((each, index, all) => each.what !== all[index - 1]?.what),
      ],
    }
  }

  /** Reads an account's picture into memory. Each server does so once a minute, and no experiment is about it. */
  async readPicture(person: Person): Promise<void> {
    const headers = await signedIn(this.app, accountOf(person), 'token')
    await this.app.inject({ url: '/user_info', headers })
  }
}

/** After the answer, so that routes without a guard have no caller. */
function noteCallers(app: FastifyInstance, heard: Heard): void {
  app.addHook('onResponse', function noteCaller({ identityOrNull, refusedWith }, _reply, done) {
    heard.judged = { caller: identityOrNull, refusedAs: refusedWith }
    done()
  })
}

function suiteOptions(options: CenterOptions, tell: (question: Question) => void): SuiteOptions {
  const { store, secret, clock, origin, suite } = options
  return {
    state: { store: tellQuestions(store, tell) },
    secrets: [secret],
    clock,
    secure: origin.startsWith('https:'),
    unauthenticatedStatus: 403,
    accounts: labAccounts((lookup) => tell({ of: 'store', what: ACCOUNT_WORDS[lookup] })),
    apiKey: { source: labApiKeys(() => tell({ of: 'store', what: ACCOUNT_WORDS.apiKey })) },
    factors: { source: labFactors((lookup) => tell({ of: 'store', what: ACCOUNT_WORDS[lookup] })) },
    live: {},
    throttle: {},
    ...suite,
  }
}
