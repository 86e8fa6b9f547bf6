import { createHash } from 'node:crypto'
import t from 'tap'
import { hashOf, isKeyId, KeyFormat } from '../../../../plugins/lib/api-key/format.js'

const format = new KeyFormat('fik')

t.test('keys and ids do not repeat, and use the whole alphabet', async (t) => {
  const made = Array.from({ length: 2000 }, () => format.make())
  t.equal(new Set(made.map(({ id }) => id)).size, made.length)
  t.equal(new Set(made.map(({ key }) => key)).size, made.length)
  const secrets = made.map(({ key }) => key.split('_')[2] ?? '').join('')
  t.equal(new Set(secrets).size, 62)
})

t.test('a key gives its id back, and nothing else does', async (t) => {
  const { id, key } = format.make()
  t.equal(format.idOf(key), id)
  const others = ['', 'fik_', key.toUpperCase(), ` ${key}`, `${key} `, `${key}\n`, `x${key}`, key.slice(3)]
  for (const text of [...others, key.replaceAll('_', '-'), key.replace('fik', 'fik2'), 'fik_'.repeat(4000)])
    t.equal(format.idOf(text), null, text.slice(0, 80))
  t.equal(new KeyFormat('acme').idOf(key), null)
})

t.test('every change of one character breaks the check', async (t) => {
  const { key } = format.make()
  for (let place = 0; place < key.length; place++) {
    const changed = `${key.slice(0, place)}${key[place] === 'A' ? 'B' : 'A'}${key.slice(place + 1)}`
    t.equal(format.idOf(changed), null, `place ${place}`)
  }
})

t.test('the check is 32 bits of a SHA-256, for scanners', async (t) => {
  const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
  for (let round = 0; round < 200; round++) {
    const { key } = format.make()
    const end = key.lastIndexOf('_')
    const number = [...key.slice(end + 1)].reduce((sum, digit) => sum * 62 + alphabet.indexOf(digit), 0)
    t.equal(number, createHash('sha256').update(key.slice(0, end)).digest().readUInt32BE())
  }
})

t.test('an id is 16 letters and digits, so no other sign-in has one', async (t) => {
  t.equal(isKeyId(format.make().id), true)
  for (const id of [
    '',
    'A'.repeat(15),
    'A'.repeat(17),
    'A'.repeat(22),
    `${'A'.repeat(15)}_`,
    `${'A'.repeat(16)}\n`,
  ])
    t.equal(isKeyId(id), false, JSON.stringify(id))
})

t.test('the stored hash is of the whole key', async (t) => {
  const { key } = format.make()
  t.same(hashOf(key), createHash('sha256').update(key).digest())
})
