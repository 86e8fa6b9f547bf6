import t from 'tap'
import { checkDeviceOptions, type DeviceBindingOptions } from '../../../../plugins/lib/device/options.js'

t.test('options are checked, completed and frozen', async (t) => {
  const checked = checkDeviceOptions({ mode: 'on' })
  t.strictSame(checked, { isRequired: false, path: '/device', excluded: [], clearSiteData: false })
  t.ok(Object.isFrozen(checked) && Object.isFrozen(checked.excluded))
  const all = { mode: 'required', path: '/a/b.c', exclude: ['/static', '/~x'], clearSiteData: true } as const
  t.strictSame(checkDeviceOptions(all), {
    ...{ isRequired: true, path: '/a/b.c', excluded: ['/static', '/~x'], clearSiteData: true },
  })
})

t.test('a wrong option is refused by name', async (t) => {
  const paths = ['', '/', 'device', '/device/', '//a', '/a"b', '/a;b', '/a b', '/é', '/../a', '/a/.', 7, null]
  const wrong: [string, unknown][] = [
    ...[undefined, 'off', true, 'ON'].map((mode): [string, unknown] => ['mode', mode]),
    ...paths.map((path): [string, unknown] => ['path', path]),
    ...[...paths.map((path) => [path]), '/static', {}].map((exclude): [string, unknown] => [
      'exclude',
      exclude,
    ]),
    ['clearSiteData', 'yes'],
    ['modes', 'on'],
  ]
  for (const [name, value] of wrong) {
    const options = { mode: 'on', [name]: value } as unknown as DeviceBindingOptions
    t.throws(() => checkDeviceOptions(options), {
      code: 'OPTION_INVALID',
      message: new RegExp(`^The option ${name} `),
    })
  }
})
