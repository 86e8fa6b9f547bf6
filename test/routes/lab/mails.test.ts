import t, { type Test } from 'tap'
import { post } from '../../helpers/http.js'
import { mailEnv, tokenIn } from '../../helpers/mail-center.js'
import { startLab } from './lab-server.js'

async function start(t: Test, env: Record<string, string> = {}) {
  const lab = await startLab(t, env)
  const mails = (headers: Record<string, string> = {}) => fetch(`${lab.origin}/lab/mails`, { headers })
  return { ...lab, mails }
}

t.test('a learner follows a reset by the mail that the lab shows', async (t) => {
  const { app, mails } = await start(t)
  t.match(await (await mails()).text(), 'No mail yet')
  const name = '<b onclick=alert(1)>&amp;'
  const { id } = await app.accounts.create({ username: name, password: 'three quiet ravens', role: 'user' })
  await app.accounts.setEmail(id, 'learner@mail.example')
  await post(app, '/password/forgot', { username: name })
  await app.accountMail.flush()
  const answer = await mails()
  t.same(
    [answer.status, answer.headers.get('content-type'), answer.headers.get('cache-control')],
    [200, 'text/html; charset=utf-8', 'no-store'],
  )
  const page = await answer.text()
  t.match(page, 'learner@mail.example')
  t.match(page, '&lt;b onclick=alert(1)&gt;&amp;amp;')
  t.notMatch(page, '<b ')
  const [, link = ''] = /<a href="([^"]+)#reset=/.exec(page) ?? []
  t.equal(link, 'http://localhost:3000/forgotten')
  const body = { token: tokenIn(page), new_password: 'four quiet ravens' }
  t.equal((await post(app, '/password/reset', body)).statusCode, 200)
  await app.accountMail.flush()
  const later = await (await mails({ 'accept-language': 'zh' })).text()
  t.match(
    later,
    /<html lang="zh">[\s\S]*收件人[\s\S]*Your password was changed[\s\S]*A new password/,
    'newest first',
  )
})

t.test('only the newest 20 mails are shown', async (t) => {
  const { app, mails } = await start(t)
  const account = await app.accounts.findByUsername('user1')
  const accountId = String(account?.id)
  for (let count = 0; count < 25; count++) {
    await app.accounts.setEmail(accountId, `a${count}@mail.example`)
    await app.accountMail.notify({ accountId, what: 'new_device', language: 'en', ip: null })
    await app.accountMail.flush()
  }
  const page = await (await mails()).text()
  t.equal(page.match(/<article>/g)?.length, 20)
  t.match(page, 'a24@mail.example')
  t.notMatch(page, 'a4@mail.example')
})

t.test('nobody else sees the mails, and with a mail server there are none', async (t) => {
  const { port } = await start(t)
  const { request } = await import('node:http')
  const asked = request({ port, host: '127.0.0.1', path: '/lab/mails', headers: { host: 'evil.example' } })
  const status = await new Promise((resolve) => {
    asked.on('response', (response) => resolve(response.resume().statusCode))
    asked.end()
  })
  t.equal(status, 404)
  for (const env of [mailEnv('smtp://127.0.0.1:1'), { LAB: 'false' }])
    t.equal((await (await start(t, env)).mails()).status, 404)
  const production = await start(t, {
    NODE_ENV: 'production',
    SINGLE_INSTANCE: 'true',
    AUTH_SECRETS: '5f1e8a40c9d2b7736e0f4a9b8c1d2e3f5a6b7c8d',
    PUBLIC_URL: 'https://center.example',
  })
  t.equal((await production.mails()).status, 404)
})
