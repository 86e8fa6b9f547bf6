import { bare, bareSent, layered, MODES, suite } from '../lib/contender.js'
import { measureCases, named, resultTable } from '../lib/growth.js'
import type { Part } from '../lib/part.js'
import { openStore } from '../lib/redis.js'
import { measureFresh } from '../lib/round.js'

const text = `
What stands between the bare route and a guarded one, added one thing after the other. All of it is Fastify's and Node's,
and does nothing yet: to receive the header that a credential comes in; to call a \`preHandler\`; to send
\`Cache-Control: no-store\`, without which a cache would hand one person's answer to the next; to call the two hooks that a
sign-in within a request, and a cookie that is renewed with the answer, need. No suite that does these can be faster than
the last of those rows. What is below it is what finding out who asks costs by itself.
`.trim()

/** Each has what those before it have. */
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
