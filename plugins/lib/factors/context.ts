import type { FastifyInstance } from 'fastify'
import type { FactorSource } from './contract.js'
import type { FactorSettings } from './options.js'
import type { FactorSeal } from './seal.js'

/** Shared by all parts of the second factors. */
export interface FactorContext {
  readonly app: FastifyInstance
  readonly settings: FactorSettings
  readonly source: FactorSource
  readonly seal: FactorSeal
}
