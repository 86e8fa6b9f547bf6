import type { FastifyInstance } from 'fastify'
import { PREFIX } from '../../plugins/lib/metrics/definitions.js'

/** A metric as Prometheus' text format (version 0.0.4) tells it. */
export interface Family {
  readonly name: string
  readonly type: string
  readonly help: string
  /** By name and labels, as they are written, with the labels in order. */
  readonly samples: Map<string, number>
  readonly labels: Set<string>
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*'
const HELP = new RegExp(`^# HELP (${NAME}) (.+)$`)
const TYPE = new RegExp(`^# TYPE (${NAME}) (counter|gauge|histogram|summary|untyped)$`)
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (\\S+)$`)
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(?:,|$)/
const VALUE = /^([+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]Inf|NaN)$/i

/** @throws where the text is not of the format */
function readLabels(text: string): [name: string, value: string][] {
  const labels: [string, string][] = []
  for (let rest = text; rest !== ''; ) {
    const match = LABEL.exec(rest)
    if (!match) throw new Error(`no labels: ${text}`)
    labels.push([match[1] ?? '', match[2] ?? ''])
    rest = rest.slice(match[0].length)
  }
  return labels.sort(([one], [other]) => (one < other ? -1 : 1))
}

function addSample(family: Family, line: string): void {
  const [, name = '', inner = '', value = ''] = SAMPLE.exec(line) ?? []
  const suffixes = family.type === 'histogram' ? ['_bucket', '_sum', '_count'] : ['']
  if (!suffixes.some((suffix) => name === `${family.name}${suffix}`)) throw new Error(`strays: ${line}`)
  if (!VALUE.test(value)) throw new Error(`no value: ${line}`)
  const labels = readLabels(inner)
  for (const [label] of labels) if (label !== 'le') family.labels.add(label)
  const key = labels.length === 0 ? name : `${name}{${labels.map(([n, v]) => `${n}="${v}"`).join()}}`
  if (family.samples.has(key)) throw new Error(`told twice: ${line}`)
  family.samples.set(key, Number(value.replace('Inf', 'Infinity')))
}

/** What the text says, read strictly: HELP, TYPE, samples, each metric once. @throws where it does not */
export function parseExposition(text: string): Family[] {
  if (!text.endsWith('\n')) throw new Error('the last line does not end')
  const families: Family[] = []
  const lines = text.split('\n').filter((line) => line !== '')
  for (let index = 0; index < lines.length; ) {
    const [, name = '', help = ''] = HELP.exec(lines[index] ?? '') ?? []
    const [, typed, type = ''] = TYPE.exec(lines[index + 1] ?? '') ?? []
    if (name === '' || name !== typed) throw new Error(`no HELP and TYPE: ${lines[index]}`)
    if (families.some((family) => family.name === name)) throw new Error(`${name} comes twice`)
    const family: Family = { name, type, help, samples: new Map(), labels: new Set() }
    for (index += 2; index < lines.length && !lines[index]?.startsWith('# '); index++)
      addSample(family, lines[index] ?? '')
    families.push(family)
  }
  return families
}

/** Those of the suite, by name without its prefix. */
export function ofSuite(families: readonly Family[]): Map<string, Family> {
  const own = families.filter(({ name }) => name.startsWith(PREFIX))
  return new Map(own.map((family) => [family.name.slice(PREFIX.length), family]))
}

type Values = Record<string, number>

/** Every series of the suite without its prefix, of histograms how many there were. */
export async function readSeries(app: FastifyInstance): Promise<Values> {
  const families = ofSuite(parseExposition(await app.identityMetrics.text()))
  const samples = [...families.values()].flatMap((family) => [...family.samples])
  const told = samples.filter(([key]) => !/_(bucket|sum)(\{|$)/.test(key))
  return Object.fromEntries(told.map(([key, value]) => [key.slice(PREFIX.length), value]))
}

/** What work has changed, and by how much. @param except names that begin like this */
export async function movedBy(
  app: FastifyInstance,
  work: () => Promise<unknown>,
  except = /^(store|resolve|feed_lag)_/,
): Promise<Values> {
  const before = await readSeries(app)
  await work()
  const after = Object.entries(await readSeries(app))
  const moved = after.map(([key, value]) => [key, value - (before[key] ?? 0)] as const)
  return Object.fromEntries(moved.filter(([key, by]) => by !== 0 && !except.test(key)))
}
