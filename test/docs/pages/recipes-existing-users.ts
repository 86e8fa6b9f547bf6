import type { LightMyRequestResponse } from 'fastify'
import type { Page } from '../runners.js'
import { answers, cookiesOf } from '../setups.js'

const LONG = 'x'.repeat(72)

/** The table as another application has left it. */
const TABLE = `
import { hashSync } from 'bcryptjs'
import LibSql from 'libsql'
process.env.AUTH_SECRET = 'a secret for tests, at least 32 bytes long'
const before = new LibSql('users.db')
before.exec('CREATE TABLE users (id INTEGER PRIMARY KEY, username TEXT UNIQUE, role TEXT, hash TEXT)')
const add = before.prepare('INSERT INTO users (username, role, hash) VALUES (?, ?, ?)')
add.run('alice', 'admin', hashSync('correct horse', 4))
add.run('php', 'user', hashSync('correct horse', 4).replace('$2b$', '$2y$'))
add.run('long', 'user', hashSync('${LONG}', 4))
export const hashOf = (username: string) =>
  (before.prepare('SELECT hash FROM users WHERE username = ?').get(username) as { hash: string }).hash
export const close = () => before.close()
`

type HashOf = (username: string) => string

const page: Page = {
  program: {
    before: TABLE,
    check: async (t, app, exports) => {
      t.teardown(exports.close as () => void)
      const hashOf = exports.hashOf as HashOf
      const signIn = (username: string, password: string): Promise<LightMyRequestResponse> =>
        app.inject({ method: 'POST', url: '/login', payload: { username, password } })

      const old = hashOf('alice')
      answers(t, await signIn('alice', 'guessed'), 401, 'CREDENTIALS_REFUSED')
      answers(t, await signIn('nobody', 'nobody has this password'), 401, 'CREDENTIALS_REFUSED')
      t.equal(hashOf('alice'), old, 'a wrong password changes nothing')

      const granted = await signIn('alice', 'correct horse')
      answers(t, granted, 200)
      const me = await app.inject({ url: '/me', headers: cookiesOf(granted) })
      t.same(me.json(), { username: 'alice', role: 'admin' })
      t.match(hashOf('alice'), /^\$argon2id\$/)
      answers(t, await signIn('alice', 'correct horse'), 200)
      answers(t, await signIn('alice', 'guessed'), 401)

      answers(t, await signIn('php', 'correct horse'), 200)
      t.match(hashOf('php'), /^\$argon2id\$/)
      answers(t, await signIn('long', `${LONG} and more`), 200)
      t.match(hashOf('long'), /^\$2b\$/, 'what bcrypt cuts off stays with bcrypt')
      answers(t, await signIn('long', `${LONG} and other`), 200)
    },
  },
}

export default page
