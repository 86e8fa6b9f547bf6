import { ELSEWHERE } from '../helpers/credential-kinds.js'
import { boundClient, CENTER, proofKey } from '../helpers/dpop.js'
import { refusedByCenter, USER } from '../helpers/http.js'
import type { Cell, Row } from './row.js'

type Center = Parameters<Cell>[1]

/** The user signs in with a key. */
async function obtain(center: Center) {
  const owner = boundClient(center.app, proofKey(), CENTER)
  const { token, refresh_token } = (await owner.send('POST', '/login_token', { payload: USER })).json().data
  return { owner, token: String(token), refresh_token: String(refresh_token) }
}

export const boundThief: Row = {
  async every(t, center, kind) {
    const { token } = await obtain(center)
    await center.refusesInvented(
      t,
      kind,
      kind === 'API key' ? `fik_${token}` : token,
      'a bound token in its place',
    )
  },
  instead: {
    async token(t, center) {
      const { owner, token } = await obtain(center)
      const thief = boundClient(center.app, proofKey(), CENTER)
      // What a request of the owner carried, with the network log.
      const dpop = owner.key.prove({ htu: `${CENTER.origin}/user_info`, nonce: await owner.nonce() })
      const authorization = `DPoP ${token}`
      const take = (url: string, headers: object) =>
        center.send({ url, headers: { authorization, ...headers }, remoteAddress: ELSEWHERE })
      center.events.length = 0
      refusedByCenter(t, await take('/user_info', { authorization: `Bearer ${token}` }), 403, 'TOKEN_INVALID')
      refusedByCenter(t, await take('/user_info', {}), 403, 'PROOF_INVALID', 'no proof')
      refusedByCenter(
        t,
        await take('/sign_ins', { dpop }),
        403,
        'PROOF_INVALID',
        'a proof for something else',
      )
      refusedByCenter(
        t,
        await thief.send('GET', '/user_info', { token }),
        403,
        'TOKEN_INVALID',
        'the thief’s own key',
      )
      t.same(
        center.events.map(({ type }) => type),
        Array(4).fill('proof_refused'),
      )
      t.equal((await owner.send('GET', '/user_info', { token })).statusCode, 200, 'the owner notices nothing')
      const logout = { method: 'POST', url: '/logout_token', headers: { authorization } } as const
      t.equal((await center.send(logout)).statusCode, 200, 'they can end it')
      refusedByCenter(t, await owner.send('GET', '/user_info', { token }), 403, 'SIGNED_OUT')
    },
    async refresh(t, center) {
      const { owner, token, refresh_token } = await obtain(center)
      const thief = boundClient(center.app, proofKey(), CENTER)
      const payload = { refresh_token }
      const bare = { method: 'POST', url: '/refresh_token', payload, remoteAddress: ELSEWHERE } as const
      refusedByCenter(t, await center.send(bare), 400, 'PROOF_INVALID')
      refusedByCenter(t, await thief.send('POST', '/refresh_token', { payload }), 401, 'REFRESH_REFUSED')
      center.clock.advance(11)
      t.equal((await owner.send('GET', '/user_info', { token })).statusCode, 200)
      t.equal(
        (await owner.send('POST', '/refresh_token', { payload })).statusCode,
        200,
        'nothing was rotated',
      )
    },
  },
}
