import type { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { loadOptional } from '../optional.js'
import { DEFINITIONS, type Definition, type MetricName, type NamesOf, PREFIX } from './definitions.js'

type Prom = typeof import('prom-client')

/** The part of a definition that every kind of metric has. */
function configOf(name: MetricName, registry: Registry) {
  const { help, labels = [] }: Definition = DEFINITIONS[name]
  return { name: `${PREFIX}${name}`, help, labelNames: [...labels], registers: [registry] }
}

/** Makes the metrics of one application, in a registry of its own, apart from others in the process. */
export class Instruments {
  constructor(
    private readonly prom: Prom,
    readonly registry: Registry,
  ) {}

  /** @param series known label values, which start at 0 */
  counter(name: NamesOf<'counter'>, series: readonly Readonly<Record<string, string>>[] = []): Counter {
    const counter = new this.prom.Counter(configOf(name, this.registry))
    for (const labels of series) counter.inc(labels, 0)
    return counter
  }

  /** A counter that is kept elsewhere: `pull` adds its present value. */
  pulledCounter(name: NamesOf<'counter'>, pull: (counter: Counter) => void): void {
    const config = configOf(name, this.registry)
    new this.prom.Counter({
      ...config,
      collect() {
        this.reset()
        pull(this)
      },
    })
  }

  /** Its value is read when the metrics are read. */
  gauge(name: NamesOf<'gauge'>, read: () => number): Gauge {
    return new this.prom.Gauge({
      ...configOf(name, this.registry),
      collect() {
        this.set(read())
      },
    })
  }

  histogram(name: NamesOf<'histogram'>): Histogram {
    const buckets = [...DEFINITIONS[name].buckets]
    return new this.prom.Histogram({ ...configOf(name, this.registry), buckets })
  }
}

/**
 * The process's own metrics (CPU, memory, event loop, garbage collection). They are collected once for all its
 * applications, because the observers cannot be removed again.
 */
let ofProcess: Registry | null = null

function processRegistry(prom: Prom): Registry {
  if (ofProcess === null) {
    ofProcess = new prom.Registry()
    prom.collectDefaultMetrics({ register: ofProcess })
  }
  return ofProcess
}

/** @throws DEPENDENCY_MISSING */
export async function createInstruments(withProcess: boolean): Promise<Instruments> {
  const prom = await loadOptional('prom-client', () => import('prom-client'), 'Metrics')
  const registry = withProcess ? prom.Registry.merge([processRegistry(prom)]) : new prom.Registry()
  return new Instruments(prom, registry)
}
