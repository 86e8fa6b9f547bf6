import t from 'tap'
import { emailOf } from '../../../../plugins/lib/mail/address.js'

t.test('an address keeps its local part, and has its domain in ASCII and lower case', async (t) => {
  const kept = [
    'a@b.example',
    'Ann.O’Hara@mail.example'.replace('’', "'"),
    'a+b=c@x.y.example',
    '_@1.example',
  ]
  for (const typed of kept) t.equal(emailOf(typed), typed)
  t.equal(emailOf('Ann@Mail.EXAMPLE'), 'Ann@mail.example')
  t.equal(emailOf('ann@bücher.example'), 'ann@xn--bcher-kva.example')
  t.equal(emailOf(`${'a'.repeat(64)}@b.example`), `${'a'.repeat(64)}@b.example`)
})

t.test('a domain that looks like another shows that it is not', async (t) => {
  t.equal(emailOf('ann@m\u0430il.example'), 'ann@xn--mil-6cd.example')
})

t.test('everything else is none', async (t) => {
  const headers = [
    'a@b.example\r\nBcc: c@d.example',
    'a\n@b.example',
    'a@b.example\n',
    'a@b.exa\rmple',
    'a\0@b.example',
  ]
  const lists = [
    'a@b.example,c@d.example',
    'a@b.example c@d.example',
    '<a@b.example>',
    'A <a@b.example>',
    'a;b@c.example',
  ]
  const locals = [
    '@b.example',
    '"a b"@c.example',
    '.a@b.example',
    'a.@b.example',
    'a..b@c.example',
    'a b@c.example',
  ]
  const looks = [
    '\u0430nn@b.example',
    'ａ@b.example',
    'a\u200b@b.example',
    'a@b\u2028.example',
    'a@b\u200e.example',
  ]
  const domains = [
    'a@',
    'a',
    'a@localhost',
    'a@[127.0.0.1]',
    'a@127.0.0.1',
    'a@b..example',
    'a@-b.example',
    'a@b.example.',
  ]
  const hosts = [
    'a@b.example/x',
    'a@b.example:25',
    'a@b.example?x',
    'a@b%2eexample',
    'a@%62.example',
    'a@b@',
    'a@xn--a.example',
  ]
  const long = [
    `${'a'.repeat(65)}@b.example`,
    `a@${'b'.repeat(64)}.example`,
    `a@${'b.'.repeat(130)}example`,
    'a'.repeat(100_000),
  ]
  for (const typed of [
    ' a@b.example',
    '',
    ...headers,
    ...lists,
    ...locals,
    ...looks,
    ...domains,
    ...hosts,
    ...long,
  ])
    t.equal(emailOf(typed), null, encodeURIComponent(typed.slice(0, 40)))
})
