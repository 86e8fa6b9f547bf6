/** A server to be measured, in its own process. */
export interface Contender {
  readonly name: string
  /** The compiled module, or the program's arguments. It listens on `PORT` of loopback. */
  readonly start: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Signs a user in, and answers with a cookie, or a token in the body. `/sign_in` by default. */
  readonly signInPath?: string
  /** Fields of a sign-in besides the username. */
  readonly password?: string
  /** Headers of a request besides the credential. */
  readonly headers?: Readonly<Record<string, string>>
  /** Whether requests without a credential are refused. */
  readonly guarded: boolean
  /** How soon a signed-out credential is refused, in words. */
  readonly signOut: string
  /** Whether requests may use Redis. */
  readonly usesRedis: boolean
  /** Its `auth_type`. */
  readonly mode: string
}

const built = (path: string) => [`dist/benchmarks/${path}.js`]

const BARE = { guarded: false, signOut: '–', usesRedis: false, mode: 'cookie' } as const

export const bare: Contender = { ...BARE, name: 'bare Fastify route', start: built('contenders/bare') }

export const bareAgain: Contender = { ...bare, name: 'the same again (noise)' }

/** As long as a real credential: measures the cost of receiving one that no code reads. */
const SENT = `__Host-identity=v1.xxxxxxxx.${'x'.repeat(280)}.${'x'.repeat(43)}`

export const bareSent: Contender = {
  ...bare,
  name: 'bare route, sent a cookie all the same',
  headers: { cookie: SENT },
}

/** The bare route with these layers of a guarded one. */
export function layered(label: string, layers: readonly string[]): Contender {
  const env = { LAYERS: layers.join() }
  return { ...bareSent, name: label, start: built('contenders/layers'), env }
}

export const bareRedis: Contender = {
  ...BARE,
  name: 'bare route + one Redis GET',
  start: built('contenders/bare-redis'),
  usesRedis: true,
}

export type Mode = 'cookie' | 'session' | 'token'
export const MODES: readonly Mode[] = ['cookie', 'session', 'token']

/** This suite in one mode. All three modes are registered by default. */
export function suite(
  mode: Mode,
  state: 'Redis' | 'SQLite',
  modes: readonly Mode[] = ['token', 'session', 'cookie'],
) {
  return {
    name: `fastify-identity, ${mode}, ${state}`,
    start: built('contenders/suite'),
    env: { MODE: mode, STATE: state, MODES: modes.join() },
    guarded: true,
    signOut: 'at once',
    usesRedis: state === 'Redis',
    mode,
  } satisfies Contender
}

const peer = (name: string, module: string, mode: Mode, signOut: string, more: Partial<Contender> = {}) => ({
  name,
  start: built(module),
  guarded: true,
  usesRedis: true,
  mode,
  signOut,
  ...more,
})

export const peers: readonly Contender[] = [
  peer('@fastify/cookie, signed', 'contenders/fastify-cookie', 'cookie', 'never', { usesRedis: false }),
  peer('@fastify/session + connect-redis', 'peers/fastify-session', 'session', 'at once, or undone'),
  peer('@fastify/jwt + denylist in Redis', 'contenders/fastify-jwt', 'token', 'at once'),
  peer('Express 5 + express-session + connect-redis', 'peers/express-session', 'session', 'at once'),
  peer('Express 5 + jsonwebtoken + denylist in Redis', 'peers/express-jwt', 'token', 'at once'),
  peer('better-auth, Redis + cookie cache', 'peers/better-auth', 'cookie', 'within 5 min'),
  peer('better-auth, Redis, bearer', 'peers/better-auth', 'token', 'at once', { env: { BEARER: 'true' } }),
]

/** All contenders. The first, the bare route, is the reference. */
export const contenders: readonly Contender[] = [
  bare,
  bareAgain,
  bareSent,
  bareRedis,
  ...MODES.flatMap((mode) => [suite(mode, 'SQLite'), suite(mode, 'Redis')]),
  ...peers,
]
