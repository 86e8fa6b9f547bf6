import t from 'tap'
import { startLab } from './lab-server.js'

t.test('the tutorial’s server believes any name in its cookie, and ours believes none', async (t) => {
  const { run } = await startLab(t)
  const edits = [
    { edit: { at: 4, to: '2' }, hello: 'user2' },
    { edit: { at: 0, to: '"' }, hello: '"ser1' },
    { edit: { at: 2, to: ';' }, hello: 'us' },
  ]
  for (const { edit, hello } of edits) {
    const { status, body } = await run('tutorial-cookie', { edit })
    t.equal(status, 200)
    t.match(body.data, {
      right: 'tutorial',
      verdict: `greets ${hello}, while ours finds a wrong signature and refuses the cookie with 403 CREDENTIAL_INVALID.`,
    })
  }
  const { body } = await run('tutorial-cookie', { edit: { at: 4, to: '1' } })
  t.match(body.data, { right: 'both', verdict: 'This edit changed nothing' })
})
