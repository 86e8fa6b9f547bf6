import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { OptionInvalid } from './lib/errors.js'
import type { IdentityMetrics } from './lib/metrics/contract.js'
import { createInstruments } from './lib/metrics/instruments.js'
import { createMeters } from './lib/metrics/meters.js'
import { countRefusals } from './lib/metrics/refusals.js'
import { checkWhole, refuseUnknown } from './lib/options.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** The suite's metrics for Prometheus. Only if their plugin was registered. */
    identityMetrics: IdentityMetrics
  }
}

export type { IdentityMetrics }

export interface MetricsOptions {
  /** One resolve in this many is timed, on average; 1 times all. Defaults to 16. */
  readonly sampling?: number
  /**
   * Whether the process's own metrics (`process_…`, `nodejs_…`) are included. Defaults to true. Use false if the
   * application exports them already.
   */
  readonly process?: boolean
}

const DEFAULTS: Required<MetricsOptions> = { sampling: 16, process: true }
const SAMPLING_MAX = 1_000_000

function checkOptions(options: MetricsOptions): Required<MetricsOptions> {
  refuseUnknown(options, DEFAULTS)
  const { sampling = DEFAULTS.sampling, process = DEFAULTS.process } = options
  checkWhole('sampling', sampling, 1, SAMPLING_MAX)
  if (typeof process !== 'boolean') throw new OptionInvalid('process', 'wants true or false')
  return { sampling, process }
}

/** Plugins that were registered before would silently be missing from the metrics. */
function refuseLate(app: FastifyInstance): void {
  const before = ['stateStore', 'authModes', 'audit'].find((name) => app.hasDecorator(name))
  if (before)
    throw new OptionInvalid('metrics', `must be registered before the plugin that adds app.${before}`)
}

/**
 * Measures all parts of the suite that are registered later. `app.identityMetrics.text()` returns the metrics. Adds no
 * route.
 * @throws OPTION_INVALID, DEPENDENCY_MISSING without the package prom-client, both at boot
 */
async function metrics(app: FastifyInstance, options: MetricsOptions): Promise<void> {
  const { sampling, process } = checkOptions(options)
  refuseLate(app)
  const instruments = await createInstruments(process)
  const meters = createMeters(instruments, sampling)
  countRefusals(app, instruments)
  const { registry } = instruments
  const { contentType } = registry
  app.decorate('identityMetrics', Object.freeze({ contentType, text: () => registry.metrics(), meters }))
}

export default fp(metrics, { fastify: '5.x', name: 'fastify-identity-metrics' })
