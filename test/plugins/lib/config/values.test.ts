import t from 'tap'
import * as read from '../../../../plugins/lib/config/values.js'
import { SECONDS_MAX } from '../../../../plugins/lib/options.js'

t.test('text is trimmed, and blank text is not set', async (t) => {
  t.equal(read.text({ A: ' x y ' }, 'A', 'z'), 'x y')
  for (const A of [undefined, '', '  ', '\r\n']) t.equal(read.text({ A }, 'A', 'z'), 'z', JSON.stringify(A))
})

t.test('a list drops blanks and empty parts, and is frozen', async (t) => {
  t.strictSame(read.list({ A: ' a ,, b,' }, 'A'), ['a', 'b'])
  for (const A of [undefined, '', ' ', ',', ' , ']) t.strictSame(read.list({ A }, 'A'), [], JSON.stringify(A))
  t.ok(Object.isFrozen(read.list({}, 'A')))
})

t.test('a flag is true or false, or its default', async (t) => {
  t.equal(read.flag({ A: 'true' }, 'A', false), true)
  t.equal(read.flag({ A: 'false' }, 'A', true), false)
  for (const fallback of [true, false]) t.equal(read.flag({ A: '' }, 'A', fallback), fallback)
  for (const A of ['True', '1', 'on', 'truthy'])
    t.throws(() => read.flag({ A }, 'A', true), { code: 'CONFIG_INVALID' }, A)
})

t.test('seconds are whole, within bounds that may be set', async (t) => {
  t.equal(read.seconds({}, 'A', 7), 7)
  t.equal(read.seconds({ A: ' 12 ' }, 'A', 7), 12)
  t.equal(read.seconds({ A: '007' }, 'A', 1), 7)
  t.equal(read.seconds({ A: String(SECONDS_MAX) }, 'A', 7), SECONDS_MAX)
  t.equal(read.seconds({ A: '0' }, 'A', 7, 0), 0)
  for (const A of ['0', String(SECONDS_MAX + 1), '1 2', '']) {
    if (A !== '')
      t.throws(() => read.seconds({ A }, 'A', 7), { code: 'CONFIG_INVALID', message: /^A must/ }, A)
  }
})

t.test('origins keep the cause of their refusal for the log', async (t) => {
  t.strictSame(read.origins({}), [])
  const error = t.throws(() => read.origins({ ALLOWED_ORIGINS: 'x' }), { code: 'CONFIG_INVALID' })
  t.match(error, { cause: { code: 'OPTION_INVALID' } })
})

t.test('weak secrets are refused where production says so, and short ones everywhere', async (t) => {
  const weak = { AUTH_SECRETS: 'x'.repeat(32) }
  t.strictSame(read.secrets(weak, false), ['x'.repeat(32)])
  t.throws(() => read.secrets(weak, true), { code: 'CONFIG_INVALID' })
  for (const production of [true, false]) {
    t.throws(() => read.secrets({ AUTH_SECRETS: 'x'.repeat(31) }, production), { code: 'CONFIG_INVALID' })
    t.equal(read.secrets({ AUTH_SECRETS: ' , ' }, production), null)
  }
})
