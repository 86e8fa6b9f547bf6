/** The definition of one metric. docs/metrics.md has a row for each. */
export interface Definition {
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly labels?: readonly string[]
  readonly help: string
  /** Upper bounds, in seconds. */
  readonly buckets?: readonly number[]
}

/** A memory lookup takes 1 µs, a signature up to 100 µs, Redis up to its timeout. */
const RESOLVE_BUCKETS = [1e-6, 5e-6, 2.5e-5, 1e-4, 5e-4, 1e-3, 5e-3, 0.025, 0.1, 0.5, 1, 2.5]
const STORE_BUCKETS = [1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5]
/** Every process should know a revocation within 50 ms, and in any case within 1 s. */
const LAG_BUCKETS = [2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1]
const HASH_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5]

export const PREFIX = 'fastify_identity_'

/** All metrics, by name without the prefix. */
export const DEFINITIONS = {
  sign_ins_total: { type: 'counter', labels: ['mode'], help: 'Sign-ins that were granted.' },
  sign_ins_ended_total: {
    type: 'counter',
    labels: ['reason'],
    help: 'Sign-ins that were ended, except by their limits or a raised epoch.',
  },
  bound_sign_ins_total: {
    type: 'counter',
    labels: ['mode'],
    help: 'Sign-ins that were bound to a key of their client.',
  },
  proofs_refused_total: {
    type: 'counter',
    labels: ['mode', 'reason'],
    help: 'Genuine credentials of bound sign-ins that came without a good proof.',
  },
  dpop_proofs: { type: 'gauge', help: 'Used DPoP proofs that this process remembers.' },
  epochs_raised_total: {
    type: 'counter',
    help: 'Raised epochs: each ended all earlier sign-ins of an account.',
  },
  wrong_passwords_total: {
    type: 'counter',
    labels: ['mode', 'what'],
    help: 'Wrong names or passwords at a sign-in (sign_in), and wrong passwords of signed-in people (password).',
  },
  second_factors_asked_total: {
    type: 'counter',
    labels: ['mode'],
    help: 'Times that the server asked for a second factor after a right password.',
  },
  wrong_factors_total: {
    type: 'counter',
    labels: ['kind'],
    help: 'Second factors and sign-ins by passkey alone that were refused.',
  },
  throttled_total: {
    type: 'counter',
    labels: ['what', 'by'],
    help: 'Attempts that were refused without a check because too many had failed.',
  },
  refreshes_total: {
    type: 'counter',
    labels: ['outcome'],
    help: 'Refresh tokens that were exchanged, or used twice (reused), which ended their sign-in.',
  },
  refusals_total: {
    type: 'counter',
    labels: ['reason'],
    help: 'Refused requests, by the code of the error.',
  },
  resolve_seconds: {
    type: 'histogram',
    labels: ['mode'],
    help: 'Time to identify the caller by a credential. A random sample of the requests.',
    buckets: RESOLVE_BUCKETS,
  },
  cache_lookups_total: {
    type: 'counter',
    labels: ['mode', 'result'],
    help: 'Lookups of credentials in the cache of verified ones: found (hit), or not (miss).',
  },
  feed_up: {
    type: 'gauge',
    help: 'Whether the feed of revocations works (1). If not (0), each request asks the store.',
  },
  feed_losses_total: { type: 'counter', help: 'Losses of the feed of revocations.' },
  feed_lag_seconds: {
    type: 'histogram',
    help: 'Time from writing a heartbeat until the feed delivered it, as it would a revocation.',
    buckets: LAG_BUCKETS,
  },
  revocations: { type: 'gauge', help: 'Revocations that this process holds in memory.' },
  live_connections: { type: 'gauge', help: 'Sockets and streams that are bound to a sign-in, and open.' },
  live_closed_total: {
    type: 'counter',
    labels: ['reason'],
    help: 'Bound sockets and streams that were closed: why by the suite, or by others (other).',
  },
  hash_running: { type: 'gauge', help: 'Passwords that are being hashed now.' },
  hash_waiting: { type: 'gauge', help: 'Passwords that wait to be hashed.' },
  hash_shed_total: { type: 'counter', help: 'Passwords that were not hashed because too many were waiting.' },
  hash_seconds: {
    type: 'histogram',
    help: 'Time to hash a password, including its wait.',
    buckets: HASH_BUCKETS,
  },
  store_operation_seconds: {
    type: 'histogram',
    labels: ['store', 'operation'],
    help: 'Time of state store operations, including failed ones. isLive only if it was not answered at once.',
    buckets: STORE_BUCKETS,
  },
  store_faults_total: {
    type: 'counter',
    labels: ['store', 'operation'],
    help: 'State store operations that failed.',
  },
} as const satisfies Readonly<Record<string, Definition>>

export type MetricName = keyof typeof DEFINITIONS

/** The names of the metrics of a type. */
export type NamesOf<T extends Definition['type']> = {
  [N in MetricName]: (typeof DEFINITIONS)[N]['type'] extends T ? N : never
}[MetricName]
