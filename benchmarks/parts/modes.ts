import { type Contender, MODES, type Mode, suite } from '../lib/contender.js'
import { type Case, casesFor, fewer, measureCases, resultTable } from '../lib/growth.js'
import type { Part } from '../lib/part.js'
import { openStore } from '../lib/redis.js'
import type { Section } from '../lib/report.js'
import { measureFresh } from '../lib/round.js'
import type { Setting } from '../lib/setting.js'

/** The registered modes, in the order in which guards try them: the cookie is last. */
const REGISTERED: readonly (readonly Mode[])[] = [
  ['cookie'],
  ['session', 'cookie'],
  ['token', 'session', 'cookie'],
]

const OTHER_COOKIES = [1, 10, 100]

/** Other cookies of the same site. */
function otherCookies(count: number): string {
  return Array.from(
    { length: count },
    (_, index) => `other_${index}=${String(index).repeat(8).slice(0, 8)}`,
  ).join('; ')
}

const modeCases: readonly Case[] = REGISTERED.flatMap((modes) =>
  casesFor([suite('cookie', 'Redis', modes)], `modes ${modes.join(' + ')}`),
)

const cookieCases: readonly Case[] = OTHER_COOKIES.flatMap((count) =>
  casesFor(
    MODES.map((mode) => suite(mode, 'Redis')),
    `${count} other cookies`,
    { headers: { cookie: otherCookies(count) } },
  ),
)

async function run(setting: Setting, cases: readonly Case[], tell: (line: string) => void) {
  const store = await openStore()
  const once = (contender: Contender) => measureFresh(contender, setting, store)
  return measureCases(cases, fewer(setting.rounds), once, tell).finally(() => store.stop())
}

export const modes: Part = {
  name: 'modes',
  async run(setting, tell): Promise<Section[]> {
    const text = 'A request with the auth cookie. Its mode is the last of the registered ones to be tried.'
    const table = resultTable(await run(setting, modeCases, tell))
    return [{ title: 'Modes that are registered', text, tables: [table] }]
  },
}

export const cookies: Part = {
  name: 'cookies',
  async run(setting, tell): Promise<Section[]> {
    const text =
      'Requests that also carry cookies of other applications, before ours. The bare route gets the same headers.'
    const table = resultTable(await run(setting, cookieCases, tell))
    return [{ title: 'Other cookies', text, tables: [table] }]
  },
}
