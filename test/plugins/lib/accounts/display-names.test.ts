import t from 'tap'
import { displayNameOf } from '../../../../plugins/lib/accounts/display-names.js'

t.test('a display name is kept in NFC, without the spaces around it', async (t) => {
  const rows: [typed: string, kept: string][] = [
    ['Ada', 'Ada'],
    [' Ada  Lovelace ', 'Ada  Lovelace'],
    ['Zoe\u0308', 'Zoë'],
    ['李小龍', '李小龍'],
    ['می\u200cخواهم', 'می\u200cخواهم'],
    ['👩\u200d💻', '👩\u200d💻'],
    ['✌\ufe0f', '✌\ufe0f'],
    ["' OR 1=1 --", "' OR 1=1 --"],
    ['<script>', '<script>'],
    ['x'.repeat(64), 'x'.repeat(64)],
    ['😀'.repeat(64), '😀'.repeat(64)],
  ]
  for (const [typed, kept] of rows) t.equal(displayNameOf(typed), kept, JSON.stringify(typed))
})

t.test('what is too long, shows nothing, hides something or turns the text around is refused', async (t) => {
  const refused = [
    ...['', ' ', '\u200d', '\u3164', '\u2800', '\u0301'],
    ...['x'.repeat(65), '😀'.repeat(65), 'x'.repeat(100_000)],
    ...['a\0b', 'a\nb', 'a\tb', 'a\u007fb', 'a\u0085b', 'a\u2028b', 'a\u2029b'],
    ...['\u202eadmin', 'a\u202db', 'a\u2066b', 'a\u2069b', 'a\u200eb', 'a\u061cb'],
    ...['a\u200bb', 'a\ufeffb', 'a\u00adb', 'a\ud800', 'a\ue000', 'a\u{e0041}', 'a\u0378'],
  ]
  for (const typed of refused) t.equal(displayNameOf(typed), null, escape(typed.slice(0, 20)))
})
