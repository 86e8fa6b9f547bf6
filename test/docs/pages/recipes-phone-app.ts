import { EventEmitter, once } from 'node:events'
import type { Answers, Client } from '../../../plugins/lib/client/client.js'
import { USER } from '../../helpers/http.js'
import { freePort } from '../../helpers/redis-server.js'
import { type Page, startCenter } from '../runners.js'

/** A phone's storage, which outlives the app. */
function makeStore() {
  const items = new Map<string, string>()
  const events = new EventEmitter()
  return {
    items,
    events,
    getItemAsync: async (key: string) => items.get(key) ?? null,
    setItemAsync: async (key: string, value: string) => void items.set(key, value),
    deleteItemAsync: async (key: string) => {
      items.delete(key)
      events.emit('deleted')
    },
  }
}

interface Exports {
  openClient(baseUrl: string, store: object, onSignedOut: (error: string) => void): Client
  whoAmI(client: Client): Promise<string | null>
}

const page: Page = {
  program: {
    after: "import Fastify from 'fastify'\nexport const app = Fastify()",
    check: async (t, _app, exports) => {
      const { openClient, whoAmI } = exports as unknown as Exports
      const { port } = await startCenter(t)
      const store = makeStore()
      const start = (at = port) => {
        const client = openClient(`http://127.0.0.1:${at}`, store, (error) =>
          store.events.emit('ended', error),
        )
        t.teardown(() => client.close())
        return client
      }

      const first = start()
      t.equal(await whoAmI(first), null)
      t.ok((await first.signIn(USER)).ok)
      t.equal(await whoAmI(first), 'user1')
      const token = [...store.items.values()]
      t.equal(token.length, 1, 'the refresh token is stored')

      await t.rejects(whoAmI(start(await freePort())), 'no network')
      t.strictSame([...store.items.values()], token, 'and the token is still there')

      first.close()
      const second = start()
      t.equal(await whoAmI(second), 'user1', 'a restart of the app signs nobody out')
      t.notSame([...store.items.values()], token, 'the token was exchanged')

      const answered = await second.fetch('/sign_ins')
      const listed = (await answered.json()) as Answers['GET /sign_ins']
      t.equal(listed.data.length, 1, 'one device')
      const [ended, deleted] = [once(store.events, 'ended'), once(store.events, 'deleted')]
      const answer = await second.fetch(`/sign_ins/${listed.data[0]?.id}`, { method: 'DELETE' })
      t.equal(answer.status, 200)
      t.equal(await whoAmI(second), null)
      t.strictSame(await ended, ['SIGNED_OUT'])
      await deleted
      t.equal(store.items.size, 0, 'nothing is left on the phone')
    },
  },
}

export default page
