import { boundClient, hashOf, type ProofKey, proofKey } from './dpop.js'
import type { Draw, Racers } from './races.js'
import { ALICE, type tokenApp } from './token-app.js'

type TokenApp = Awaited<ReturnType<typeof tokenApp>>

/** Tokens of a client. A bound one has a key. */
interface Client {
  /** `GET` with the access token, `POST` without one. @returns the answer */
  send(
    app: TokenApp,
    method: 'GET' | 'POST',
    url: string,
    payload?: object,
    token?: string,
  ): ReturnType<TokenApp['post']>
}

const bearer: Client = {
  send: ({ app }, method, url, payload, token) =>
    app.inject({ method, url, payload, headers: token ? { authorization: `Bearer ${token}` } : {} }),
}

/** @param nonce that is good meanwhile, so that each request is one trip */
function dpop(key: ProofKey, nonce: string): Client {
  return {
    send({ app }, method, url, payload, token) {
      const ath = token === undefined ? undefined : hashOf(token)
      const proof = key.prove({ htm: method, htu: `https://example.com${url}`, ath, nonce })
      const headers = { dpop: proof, ...(token !== undefined && { authorization: `DPoP ${token}` }) }
      return app.inject({ method, url, payload, headers })
    },
  }
}

type End = (app: TokenApp, client: Client, pair: { token: string; refreshToken: string }) => Promise<unknown>

const ENDS: readonly [End, ...End[]] = [
  (there, client, { token }) => client.send(there, 'POST', '/logout', {}, token),
  ({ post }, _client, { refreshToken }) => post('/revoke', { token: refreshToken }),
  ({ app }) => app.signIns.endAll(ALICE.id),
  async ({ app }) => {
    const [record] = await app.signIns.list(ALICE.id)
    return app.signIns.end({ accountId: ALICE.id, signInId: record?.id ?? '' })
  },
]

/** A client that refreshes at `here`, and keeps all tokens. */
export async function beginTokenRace(
  here: TokenApp,
  there: TokenApp,
  isBound: boolean,
  draw: Draw,
): Promise<Racers> {
  const key = isBound ? proofKey() : null
  const client = key ? dpop(key, await boundClient(here.app, key).nonce()) : bearer
  const first = (await client.send(here, 'POST', '/login', { account: ALICE })).json()
  const pairs = [first]
  const end = draw.from(ENDS)
  return {
    async renew() {
      const answer = await client.send(here, 'POST', '/refresh', { token: first.refreshToken })
      if (answer.statusCode === 200) pairs.push(answer.json())
      return answer.statusCode
    },
    end: () => end(there, client, first),
    async use() {
      const statuses: number[] = []
      for (const { token, refreshToken } of pairs)
        for (const app of [here, there]) {
          statuses.push((await client.send(app, 'GET', '/me', undefined, token)).statusCode)
          statuses.push((await client.send(app, 'POST', '/refresh', { token: refreshToken })).statusCode)
        }
      return statuses
    },
  }
}
