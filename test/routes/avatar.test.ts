import t from 'tap'
import { initialAvatar } from '../../routes/avatar.js'

const PREFIX = 'data:image/svg+xml,'

const svgOf = (username: string) => decodeURIComponent(initialAvatar(username).slice(PREFIX.length))
const initialOf = (username: string) => /<text[^>]*>(.*)<\/text>/.exec(svgOf(username))?.[1]
const hueOf = (username: string) => Number(/hsl\((\d+) 45% 45%\)/.exec(svgOf(username))?.[1])

t.test('an avatar is one SVG as a data: address, without a character that HTML minds', async (t) => {
  for (const name of ['admin', 'Zoë', '李小龍', '<script>"&\'', '']) {
    const avatar = initialAvatar(name)
    t.ok(avatar.startsWith(PREFIX), name)
    t.match(avatar.slice(PREFIX.length), /^[\w%.!~*'()-]+$/, name)
    t.notMatch(avatar, /[<>"&#\s]/, name)
    t.match(
      svgOf(name),
      /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" [^<>]*><rect [^<>]*\/><text [^<>]*>[^<>]*<\/text><\/svg>$/,
    )
  }
})

t.test('it shows the first letter or digit of the name, in upper case', async (t) => {
  const rows: [username: string, initial: string][] = [
    ['admin', 'A'],
    ['Zoë', 'Z'],
    ['ëlla', 'Ë'],
    ['李小龍', '李'],
    ['ольга', 'О'],
    ['7of9', '7'],
    ['-_.x', 'X'],
    ['😀 bob', 'B'],
    ['ßen', 'SS'],
    ['𝒶lice', '𝒶'],
  ]
  for (const [username, initial] of rows) t.equal(initialOf(username), initial, username)
})

t.test('a name without a letter or digit is a question mark', async (t) => {
  for (const username of ['', ' ', '😀', '---', '<>&"', '\ud800', '\0']) {
    t.equal(initialOf(username), '?', JSON.stringify(username))
  }
})

t.test('no name becomes markup', async (t) => {
  for (const username of [
    '<script>alert(1)</script>',
    '"/><script>',
    '&lt;',
    '</text><a>',
    "'onload='x",
    ']]>',
    '%3Cscript%3E',
  ]) {
    t.match(initialOf(username), /^[\p{L}\p{N}?]$/u, username)
  }
})

t.test('no first character becomes markup, whatever it is', async (t) => {
  const odd: string[] = []
  for (let point = 0; point <= 0x10ffff; point += point < 0x3000 ? 1 : 37) {
    const initial = initialOf(String.fromCodePoint(point))
    if (initial === undefined || /[<>&"'\s]/.test(initial)) odd.push(point.toString(16))
  }
  t.same(odd, [])
})

t.test('the colour stays the same for a name, and is a hue', async (t) => {
  const names = Array.from({ length: 500 }, (_, index) => `user${index}`)
  for (const name of names) {
    const hue = hueOf(name)
    if (!(Number.isInteger(hue) && hue >= 0 && hue < 360)) t.fail(`${name}: ${hue}`)
  }
  t.ok(new Set(names.map(hueOf)).size > 100, 'names differ in colour')
  t.equal(initialAvatar('admin'), initialAvatar('admin'))
  t.not(initialAvatar('admin'), initialAvatar('admix'))
})
