import { readFileSync } from 'node:fs'
import { test } from 'tap'
import * as askers from './attackers/askers.js'
import * as bound from './attackers/bound.js'
import * as browser from './attackers/browser.js'
import * as devices from './attackers/devices.js'
import * as guessers from './attackers/guessers.js'
import * as insiders from './attackers/insiders.js'
import * as peers from './attackers/peers.js'
import type { Row } from './attackers/row.js'
import * as stores from './attackers/stores.js'
import * as thieves from './attackers/thieves.js'
import { KINDS, startCredentialCenter } from './helpers/credential-kinds.js'

/** By the first cell of each line of SECURITY.md. */
const ROWS: Readonly<Record<string, Row>> = {
  'another site, in somebody’s browser': browser.anotherSite,
  'a script on our own page (an injection)': browser.script,
  'another site, with a refresh cookie': browser.refreshCookie,
  'an observer of the network': browser.observer,
  'a thief of a credential': thieves.thief,
  'a thief of all cookies of a bound sign-in': devices.jarThief,
  'that thief, with a log of every request': devices.networkThief,
  'that thief, who registers a key of their own': devices.registeringThief,
  'a thief of a bound token, without its key': bound.boundThief,
  'a thief of a device cookie': thieves.deviceThief,
  'a thief or finder of an API key': thieves.keyThief,
  'a guesser of API keys': guessers.keyGuesser,
  'a peer of an open socket or stream': peers.peer,
  'a guesser of passwords': guessers.passwordGuesser,
  'somebody who has the password, but not the second factor': guessers.passwordHolder,
  'somebody who asks for the owner’s password': askers.passwordAsker,
  'a reader of the database': stores.databaseReader,
  'a writer of the database': stores.databaseWriter,
  'a reader of Redis, or of the embedded file': stores.redisReader,
  'a writer of Redis, or of the sign-ins in the embedded file': stores.redisWriter,
  'a holder of a secret': insiders.secretHolder,
  'a malicious user': insiders.maliciousUser,
  'an administrator': insiders.administrator,
}

test('each line of “Who attacks, and what holds” is tried', async (t) => {
  const [, section = ''] = readFileSync('SECURITY.md', 'utf8').split(/^## Who attacks, and what holds$/m)
  const [table = ''] = section.split(/^## /m)
  const lines = [...table.matchAll(/^\| (\*\*.+?) \|/gm)].map(([, cell = '']) => cell.replaceAll('**', ''))
  t.same(
    lines.map((line) => line.replaceAll("'", '’')),
    Object.keys(ROWS),
  )
})

for (const [name, { every, instead, env }] of Object.entries(ROWS)) {
  test(name, async (t) => {
    const center = await startCredentialCenter(t, await env?.(t))
    for (const kind of KINDS) {
      await t.test(`${name}: ${kind}`, async (t) => {
        await center.begin()
        await (instead?.[kind] ?? every)(t, center, kind)
      })
    }
  })
}
