import { readdirSync } from 'node:fs'
import t from 'tap'
import { startLab } from './lab/lab-server.js'

const PAGES = readdirSync('docs', { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.md'))
  .map((path) => `docs/${path}`)

/** The addresses in attributes, without their fragments. */
const addresses = (html: string, base: string) =>
  [...html.matchAll(/(?:href|src)="([^"]+)"/g)]
    .map(([, address = '']) => new URL(address, base))
    .filter(({ origin }) => origin === new URL(base).origin)

t.test('every page of docs/ is shown, and each of its links leads somewhere', async (t) => {
  const { origin } = await startLab(t)
  const statuses = new Map<string, number>()
  const anchors = new Map<string, string>()
  const ask = async (url: URL) => {
    const answer = await fetch(`${origin}${url.pathname}`)
    statuses.set(url.pathname, answer.status)
    anchors.set(url.pathname, await answer.text())
  }
  for (const page of ['README.md', 'README.zh.md', 'SECURITY.md', ...PAGES]) {
    const base = `${origin}/guide/${page}`
    const answer = await fetch(base)
    t.equal(answer.status, 200, page)
    t.equal(answer.headers.get('content-type'), 'text/html; charset=utf-8')
    const html = await answer.text()
    t.notMatch(html, /<script|<style| style=| on[a-z]+=/, 'nothing that the policy forbids')
    t.match(html, page.includes('zh') ? '<html lang="zh">' : '<html lang="en">')
    t.match(html, '<link rel="icon"', 'or browsers ask for one that is not there')
    for (const url of addresses(html, base)) {
      if (!statuses.has(url.pathname)) await ask(url)
      t.equal(statuses.get(url.pathname), 200, `${page}: ${url.pathname}`)
      const name = decodeURIComponent(url.hash.slice(1))
      if (!name || !url.pathname.endsWith('.md')) continue
      t.ok(anchors.get(url.pathname)?.includes(`id="${name}"`), `${page}: ${url.pathname}${url.hash}`)
    }
  }
})

t.test('links to the lab and scripts are for the running server', async (t) => {
  const { origin, port } = await startLab(t)
  const page = (await fetch(`${origin}/guide/docs/tutorial.md`)).text()
  t.match(await page, `href="${origin}/lab#two-strangers"`)
  t.match(await page, `URL=${origin}\n`)
  t.notMatch(await page, '127.0.0.1:3000')
  const other = await fetch(`http://localhost:${port}/guide/docs/zh/tutorial.md`)
  t.match(await other.text(), `href="http://localhost:${port}/lab#two-strangers"`, 'under its other name')
})

t.test('nothing else of the repository is shown', async (t) => {
  const { origin } = await startLab(t)
  for (const path of [
    'package.json',
    '.env.example',
    'docs',
    'docs/',
    'docs/..%2fapp.ts',
    'docs/%2e%2e/app.ts',
    'app.ts',
  ]) {
    t.equal((await fetch(`${origin}/guide/${path}`)).status, 404, path)
  }
})
