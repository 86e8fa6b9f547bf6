import { bare, bareSent, layered, MODES, suite } from '../lib/contender.js'
import { measureCases, named, resultTable } from '../lib/growth.js'
import type { Part } from '../lib/part.js'
import { openStore } from '../lib/redis.js'
import { measureFresh } from '../lib/round.js'

const text = `
The parts between the bare route and a guarded one, added one by one. All of them belong to Fastify and Node. They
receive the header with a credential, call a \`preHandler\`, and send \`Cache-Control: no-store\`, so that no cache
gives one person's answer to the next. They also call two hooks: one for a sign-in within a request, and one for a
renewed cookie. None of them does any work yet. No suite with these parts can be faster than the last of those rows. The
rows below it show the cost of recognising the caller.
`.trim()

/** Each includes all previous layers. */
const LAYERS: readonly [label: string, ...layers: string[]][] = [
  ['and calls a preHandler', 'preHandler'],
  ['and sends no-store', 'preHandler', 'no-store'],
  ['and calls onRequest and onSend hooks', 'preHandler', 'no-store', 'hooks'],
]

const contenders = [
  bare,
  named(bare, 'sent a credential', { headers: bareSent.headers }),
  ...LAYERS.map(([label, ...layers]) => layered(label, layers)),
  ...MODES.map((mode) => suite(mode, 'Redis')),
]

export const layers: Part = {
  name: 'layers',
  async run(setting, tell) {
    const store = await openStore()
    const cases = contenders.map((contender) => ({ label: contender.name, contender, reference: bare }))
    const once = (contender: (typeof contenders)[number]) => measureFresh(contender, setting, store)
    const results = await measureCases(cases, setting.rounds, once, tell).finally(() => store.stop())
    return [{ title: 'Where it goes', text, tables: [resultTable(results)] }]
  },
}
