import t from 'tap'
import { canonicalPrefix, canonicalUsername } from '../../../../plugins/lib/accounts/usernames.js'

t.test('names of any script are names', async (t) => {
  for (const name of [
    'Zoë',
    '李小龍',
    'محمد',
    'Ольга',
    'हिन्दी',
    'สมชาย',
    'a',
    '😀',
    'o’neil',
    'Mary Ann',
    'x'.repeat(64),
  ]) {
    t.equal(typeof canonicalUsername(name), 'string', name)
  }
})

t.test('spellings of one name have one canonical form', async (t) => {
  const groups = [
    ['Zoë', 'zoë', 'ZOË', 'Zoe\u0308', 'ZOE\u0308', 'Ｚｏë'],
    ['straße', 'STRASSE', 'strasse', 'STRAẞE', 'Straſſe'],
    ['ὈΔΥΣΣΕΎΣ', 'Ὀδυσσεύς', 'ὀδυσσεύσ'],
    ['file', 'ﬁle', 'FILE'],
    ['kelvin', '\u212Aelvin'],
    ['Åsa', '\u212Bsa', 'A\u030Asa'],
    ['ᏣᎳᎩ', 'ꮳꮃꭹ'],
    ['Ⅷ', 'viii'],
  ]
  for (const [first = '', ...others] of groups) {
    for (const other of others) t.equal(canonicalUsername(other), canonicalUsername(first), other)
  }
})

t.test('a name begins with every beginning of it, in whatever way either is typed', async (t) => {
  const names = ['ὈΔΥΣΣΕΎΣ', 'Νίκος Σ.', 'ΟΣ.Α', 'straße', 'ﬁle', 'Zoë', 'İstanbul', 'ΑΣ\u0301Α', 'Mary Ann']
  for (const name of names) {
    const canonical = canonicalUsername(name) ?? ''
    t.not(canonical, '', name)
    for (const typed of [canonical, canonical.toUpperCase()]) {
      for (const [index] of [...typed].entries()) {
        const beginning = [...typed].slice(0, index + 1).join('')
        // What the next character would be composed with is another letter.
        if (/^\p{M}/u.test([...typed][index + 1] ?? '')) continue
        t.ok(canonical.startsWith(canonicalPrefix(beginning) ?? '?'), beginning)
      }
    }
  }
})

t.test('names that differ stay different', async (t) => {
  const names = ['admin', 'аdmin', 'admim', 'ad min', 'o', '0', 'zoe', 'zoë', '-admin', "admin'"]
  t.equal(new Set(names.map(canonicalUsername)).size, names.length)
})

t.test('text that could pass for another name, or for none, is refused', async (t) => {
  const refused = {
    empty: '',
    'a leading space': ' bob',
    'a trailing space': 'bob ',
    'a doubled space': 'bob  b',
    'a space alone': ' ',
    'a no-break space': 'bob\u00a0b',
    'an ideographic space': 'bob\u3000b',
    'a line separator': 'bob\u2028b',
    'a line feed': 'bob\n',
    'a NUL': 'bob\0',
    'a DEL': 'bob\x7f',
    'a zero-width space': 'bo\u200bb',
    'a zero-width joiner': 'bo\u200db',
    'a right-to-left override': 'bo\u202eb',
    'a soft hyphen': 'bo\u00adb',
    'a byte order mark': '\ufeffbob',
    'a variation selector': 'bob\ufe0f',
    'a variation selector of the supplement': 'bob\u{e0100}',
    'a tag': 'bob\u{e0041}',
    'a Hangul filler': 'bob\u3164',
    'a combining grapheme joiner': 'bo\u034fb',
    'a blank Braille cell': 'bob\u2800',
    'a private code point': 'bob\ue000',
    'an unassigned code point': 'bob\u0378',
    'a noncharacter': 'bob\uffff',
    'a lone surrogate': 'bob\ud83d',
    'what folds to a leading space': '\u00a8bob',
    '65 characters': 'x'.repeat(65),
    'a megabyte': 'x'.repeat(1 << 20),
    'more than 64 characters once folded': 'ß'.repeat(33),
  }
  for (const [what, name] of Object.entries(refused)) t.equal(canonicalUsername(name), null, what)
  t.equal(typeof canonicalUsername('😀'.repeat(64)), 'string', 'characters are code points')
  t.equal(canonicalUsername('😀'.repeat(65)), null)
})

/** Small and repeatable; good enough to mix code points. */
function createRandom(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state % below
  }
}

t.test('the canonical form of a canonical form is itself', async (t) => {
  const random = createRandom(20260101)
  const blocks = [
    0x20, 0xc0, 0x120, 0x300, 0x370, 0x400, 0x10a0, 0x13a0, 0x1e00, 0x1f00, 0x2100, 0xab70, 0xfb00, 0xff20,
  ]
  const moved: string[] = []
  let names = 0
  for (let round = 0; round < 20_000; round += 1) {
    const points = Array.from(
      { length: 1 + random(6) },
      () => (blocks[random(blocks.length)] ?? 0) + random(96),
    )
    const canonical = canonicalUsername(String.fromCodePoint(...points))
    if (canonical === null) continue
    names += 1
    if (canonicalUsername(canonical) !== canonical) moved.push(canonical)
  }
  t.same(moved, [])
  t.ok(names > 5_000, `${names} names`)
})

t.test('names that a path would take for a directory are refused', async (t) => {
  for (const name of ['.', '..', '．', '．．']) t.equal(canonicalUsername(name), null, name)
  for (const name of ['...', 'a.b', '.a', 'a..']) t.equal(canonicalUsername(name), name)
})
