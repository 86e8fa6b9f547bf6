import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'

type Draw = (directory: string) => Map<string, string>

// By its address, because it is JavaScript, as everything in scripts/.
const { drawDiagrams }: { drawDiagrams: Draw } = await import(pathToFileURL('scripts/diagrams.mjs').href)

const DIRECTORY = 'docs/diagrams'
const HEAD = 'title A\nactor b Browser | 浏览器\nactor s Server\n'

/** What is drawn of one text, in English and in Chinese. */
function drawn(t: Test, text: string): [string, string] {
  const pictures = drawDiagrams(t.testdir({ 'one.txt': text }))
  return [pictures.get('one.svg') ?? '', pictures.get('one.zh.svg') ?? '']
}

t.test('the committed diagrams are what `npm run diagrams` draws', async (t) => {
  const pictures = drawDiagrams(DIRECTORY)
  const committed = readdirSync(DIRECTORY).filter((file) => file.endsWith('.svg'))
  t.same(committed.sort(), [...pictures.keys()].sort())
  for (const [file, svg] of pictures)
    t.equal(readFileSync(join(DIRECTORY, file), 'utf8'), svg, `${file}: run npm run diagrams`)
})

t.test('a diagram says its steps in words, in each language, for screen readers', async (t) => {
  const [english, chinese] = drawn(
    t,
    `${HEAD}= Start | 开始\nb -> s GET /\ns: Looks. | 查看。\ns --> b 200 <b> & "c"\n`,
  )
  const described = (svg: string) => /<desc id="steps">(.*)<\/desc>/s.exec(svg)?.[1]?.split('\n')
  t.same(described(english), [
    'Start.',
    'Browser → Server: GET /',
    'Server: Looks.',
    'Server → Browser: 200 &lt;b> &amp; "c"',
  ])
  t.same(described(chinese)?.slice(0, 3), ['开始.', '浏览器 → Server: GET /', 'Server: 查看。'])
  t.match(english, /role="img" aria-labelledby="title steps" lang="en"/)
  t.match(chinese, /lang="zh-CN"/)
})

t.test('a diagram has dark colours, and loads nothing', async (t) => {
  for (const svg of drawn(t, `${HEAD}b -> s GET /\n`)) {
    t.match(svg, /@media \(prefers-color-scheme:dark\)/)
    t.notMatch(svg.replace('http://www.w3.org/2000/svg', ''), /https?:|@import|<script|href=/)
  }
})

t.test('a line that cannot be read stops the script, and names the place', async (t) => {
  for (const [text, message] of [
    [`${HEAD}b > s GET /\n`, 'one.txt:4: cannot read "b > s GET /"'],
    [`${HEAD}b -> x GET /\n`, 'one.txt:4: no actor "x"'],
    [`${HEAD}b -> b GET /\n`, 'one.txt:4: an arrow needs two actors'],
    [
      `${HEAD}b -> s One | 一 | more\n`,
      'one.txt:4: "One | 一 | more" is not one text, or two with | between',
    ],
    ['actor b Browser\n', 'one.txt: no title'],
  ] as const)
    t.throws(() => drawn(t, text), { message })
})
