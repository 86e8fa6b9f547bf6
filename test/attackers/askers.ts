import { databaseFile, openDatabase } from '../../plugins/lib/database/embedded.js'
import type { CredentialCenter } from '../helpers/credential-kinds.js'
import { refusedByCenter, USER } from '../helpers/http.js'
import type { Row } from './row.js'

const ADDRESS = 'owner@mail.example'

/** The owner has a confirmed address. */
async function giveAddress({ dataDir }: CredentialCenter): Promise<void> {
  const database = await openDatabase(databaseFile(dataDir))
  const values = { email: ADDRESS, email_key: ADDRESS }
  await database.kysely.updateTable('accounts').set(values).where('username', '=', USER.username).execute()
  await database.close()
}

const ask = (center: CredentialCenter, payload: object) =>
  center.send({ method: 'POST', url: '/password/forgot', payload, headers: { host: 'evil.example' } })

/** Asking ends nothing, tells nothing, and gives nothing that can be guessed. */
export const passwordAsker: Row = {
  async every(t, center, kind) {
    await giveAddress(center)
    const held = await center.obtain(kind)
    const bodies = [
      { username: USER.username },
      { username: 'nobody' },
      { email: ADDRESS },
      { email: 'x@y.example' },
    ]
    const answers = []
    for (const body of bodies) answers.push(await ask(center, body))
    t.equal(new Set(answers.map(({ statusCode, body }) => `${statusCode} ${body}`)).size, 1)
    t.equal(answers[0]?.statusCode, 202)
    await center.app.accountMail.flush()
    for (const token of ['A'.repeat(22), held.text.slice(0, 256)]) {
      const payload = { token, new_password: 'the password of a thief' }
      const answer = await center.send({ method: 'POST', url: '/password/reset', payload })
      refusedByCenter(t, answer, 401, 'RESET_REFUSED')
    }
    await center.accepts(t, held, 'nothing has ended')
  },
}
