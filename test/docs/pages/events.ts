import type { Page } from '../runners.js'
import { answers, SUITE } from '../setups.js'

const page: Page = {
  subscribe: {
    before: `${SUITE}
      export const warned: (string | null)[] = []
      const warnOwner = (accountId: string, ip: string | null) => warned.push(accountId, ip)
      app.post<{ Body: { refresh: string } }>('/refresh', async (request) => app.refreshTokens.refresh(request, request.body.refresh))`,
    check: async (t, app, { warned }) => {
      const login = await app.inject({ method: 'POST', url: '/as/bob/token' })
      const renew = (refresh: string) => app.inject({ method: 'POST', url: '/refresh', payload: { refresh } })
      const { refreshToken: first } = login.json().issued
      const second = (await renew(first)).json().refreshToken
      await renew(second)
      answers(t, await renew(first), 401, 'REFRESH_REFUSED')
      t.same(warned, ['2', '127.0.0.1'])
    },
  },
}

export default page
