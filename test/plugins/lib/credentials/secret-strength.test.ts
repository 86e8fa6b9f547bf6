import { createHash } from 'node:crypto'
import t from 'tap'
import { secretShortness, secretWeakness } from '../../../../plugins/lib/credentials/secret-strength.js'

let drawn = 0

/** Looks random, and is the same in each run: a word of the list appears by chance in one of a million secrets. */
function bytes(length: number): Buffer {
  drawn += 1
  return createHash('shake256', { outputLength: length }).update(String(drawn)).digest()
}

t.test('random secrets raise no alarm', async (t) => {
  const alarms: string[] = []
  for (let round = 0; round < 1000; round += 1) {
    const drawnBytes = bytes(32 + (round % 33))
    for (const encoding of ['hex', 'base64', 'base64url'] as const) {
      const secret = drawnBytes.toString(encoding)
      const weakness = secretWeakness(secret)
      if (weakness) alarms.push(`${secret} ${weakness}`)
    }
  }
  t.same(alarms, [])
})

t.test('secrets as people generate them raise no alarm', async (t) => {
  const digits = (length: number) => Array.from(bytes(length), (byte) => byte % 10).join('')
  const alarms = Array.from({ length: 200 }, () => [
    bytes(16).toString('hex'),
    `${bytes(16)
      .toString('hex')
      .replace(/(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')}`,
    digits(60),
    `my-secret:${bytes(24).toString('base64')}`,
    `development ${bytes(16).toString('hex')}`,
  ])
    .flat()
    .filter((secret) => secretWeakness(secret) !== null)
  t.same(alarms, [])
  t.equal(
    secretWeakness('cargo-velvet-thirst-oblong-magnet-walrus-cinder-pigeon'),
    null,
    'eight words drawn by dice',
  )
  t.equal(secretWeakness('my-secret:OIjdZxQlgpxf8o46bItf/T9YVvPaxN5F'), null, 'a unit within other letters')
  t.equal(secretWeakness('Größe und Fülle, вода и хлеб, 木漏れ日'), null, 'any script')
})

t.test('a secret is long enough from 32 bytes on', async (t) => {
  const good = bytes(48).toString('base64url')
  t.equal(secretShortness(good.slice(0, 32)), null)
  for (const secret of ['', 'x', good.slice(0, 31), 'ä'.repeat(15)]) {
    t.equal(secretShortness(secret), 'is shorter than 32 bytes', secret)
    t.equal(secretWeakness(secret), 'is shorter than 32 bytes', secret)
  }
  t.equal(secretShortness('a'.repeat(32)), null, 'length says nothing of quality')
})

t.test('a trivial secret is found out', async (t) => {
  const trivial = [
    'a'.repeat(40),
    ' '.repeat(40),
    'password'.repeat(5),
    'keyboard cat keyboard cat keyboard cat',
    'change-me-change-me-change-me-change-me',
    'abc'.repeat(20),
    'abc'.repeat(20).slice(1, -1),
    '0123456789'.repeat(4),
    'correcthorse'.repeat(3),
    `${'correct horse battery '.repeat(2)}correct`,
    'abcdefghijklmnopqrstuvwxyz0123456789',
    'zyxwvutsrqponmlkjihgfedcbaZYXWVUTSRQ',
    'BCDEFGHIJKLMNOPQRSTUVWXYZbcdefghijklmnopq',
    '11112222333344445555666677778888',
    '3141592653'.replace(/./g, (digit) => digit.repeat(4)),
    'abababababababababababababababababababac',
    Buffer.from(Array.from({ length: 40 }, (_, index) => 48 + index)).toString(),
  ]
  for (const secret of trivial) t.equal(secretWeakness(secret), 'is trivial to guess', secret)
})

t.test('a secret that stands in examples is found out', async (t) => {
  const known = [
    'changemechangeme_changeme-changeme!',
    'please-replace-me-with-your-own-secret-key',
    'super-secret-jwt-token-with-at-least-32-characters-long',
    'a-string-secret-at-least-256-bits-long',
    'your-256-bit-secret-your-256-bit-key',
    'averylogphrasebiggerthanthirtytwochars',
    'my-secret-my-example-development-secret',
    'Password1234567890Password0123456789!',
    'qwertyuiop[]asdfghjkl;zxcvbnm,./1234567890',
    'insecure-default-secret-for-development',
  ]
  for (const secret of known) t.equal(secretWeakness(secret), 'is made of well known words', secret)
})

t.test('what is said of a secret never quotes it', async (t) => {
  for (const secret of ['hunter2', 'hunter2'.repeat(6), `hunter2-change-me-${'secret-'.repeat(3)}hunter2`]) {
    t.notMatch(secretWeakness(secret), /hunter2/)
  }
})

t.test('a template that was not filled in, and a sentence, are no secrets', async (t) => {
  const unfilled = [
    'CHANGE ME: your secret key goes here',
    'a secret with minimum length of 32 characters',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is one that nobody filled in
    '${AUTH_SECRETS:?must be set in the environment file}',
    '$(openssl rand -base64 48) was never run here at all',
    '<generate one with openssl rand and put it here>',
    'correct horse battery staple and then some more words',
  ]
  for (const secret of unfilled) t.equal(secretWeakness(secret), 'is a placeholder or a sentence', secret)
  for (const secret of ['NeverUseThisKeyInProductionPlease!!', 'fastify-identity-fastify-identity-1']) {
    t.equal(secretWeakness(secret), 'is made of well known words', secret)
  }
})
