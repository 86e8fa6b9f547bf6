import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, extname, join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { FastifyInstance } from 'fastify'
import { Marked } from 'marked'
import { gfmHeadingId } from 'marked-gfm-heading-id'
import { USUAL_ORIGIN } from './lab/curl.js'
import { hideFromOthers, ownOrigin } from './lab/gate.js'

/** The repository: a build runs from a folder inside it. Null if the build was copied elsewhere. */
function findRepository(folder = dirname(fileURLToPath(import.meta.url))): string | null {
  if (existsSync(join(folder, 'docs/tutorial.md'))) return folder
  return dirname(folder) === folder ? null : findRepository(dirname(folder))
}

const OUTSIDE_DOCS = ['README.md', 'README.zh.md', 'SECURITY.md', 'CONTRIBUTING.md', 'plugins/CHANGELOG.md']

const PICTURES: Readonly<Record<string, string>> = { '.png': 'image/png', '.svg': 'image/svg+xml' }

/** Paths in the repository. */
function guideFiles(repository: string): string[] {
  const docs = readdirSync(join(repository, 'docs'), { recursive: true, encoding: 'utf8' })
  return [...OUTSIDE_DOCS, ...docs.map((path) => posix.join('docs', path))].filter(
    (path) => extname(path) === '.md' || extname(path) in PICTURES,
  )
}

const STYLE = `
:root { color-scheme: light dark; --line: #8886; }
body { max-width: 46rem; margin: 0 auto; padding: 1rem; font: 1rem/1.6 system-ui, sans-serif; overflow-wrap: anywhere; }
nav { display: flex; flex-wrap: wrap; gap: 0 1.5rem; }
h1, h2, h3 { line-height: 1.25; }
pre { overflow-x: auto; padding: 0.75rem; border: 1px solid var(--line); border-radius: 0.5rem; line-height: 1.45; }
table { display: block; overflow-x: auto; border-collapse: collapse; overflow-wrap: normal; }
th, td { padding: 0.25rem 0.5rem; border: 1px solid var(--line); text-align: left; vertical-align: top; }
img { max-width: 100%; }
`

const NAVIGATION = {
  en: [
    ['/', 'User center'],
    ['/lab', 'Lab'],
    ['/guide/docs/tutorial.md', 'Tutorial'],
    ['/guide/docs/faq.md', 'Questions'],
    ['/guide/docs/README.md', 'All pages'],
  ],
  zh: [
    ['/', '用户中心'],
    ['/lab', '实验室'],
    ['/guide/docs/zh/tutorial.md', '教程'],
    ['/guide/docs/zh/faq.md', '常见问题'],
    ['/guide/docs/README.md', '全部文档'],
  ],
} as const

/** Other links lead to files that are not served: only their text is kept. */
const isServed = (path: string, href: string, files: ReadonlySet<string>) =>
  /^(https?:|#|\/)/.test(href) || files.has(posix.join(posix.dirname(path), href.replace(/#.*/s, '')))

/** A page of the documentation as HTML. The text is the repository's own, so nothing in it is escaped or removed. */
function render(path: string, text: string, files: ReadonlySet<string>): string {
  const marked = new Marked(gfmHeadingId(), {
    renderer: {
      link({ href, tokens }) {
        return isServed(path, href, files) ? false : this.parser.parseInline(tokens)
      },
    },
  })
  const [, title = path] = /^# (.+)$/m.exec(text) ?? []
  const language = /(^|\/)zh\/|\.zh\.md$/.test(path) ? 'zh' : 'en'
  const links = NAVIGATION[language].map(([href, word]) => `<a href="${href}">${word}</a>`)
  return `<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title.replaceAll('<', '&lt;')}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/guide/guide.css">
</head>
<body>
<nav>${links.join('\n')}</nav>
<main>
${marked.parse(text, { async: false })}</main>
</body>
</html>
`
}

/**
 * The documentation, as pages at the paths of the repository: `/guide/docs/tutorial.md`. Like the lab, only in
 * development and only for this machine. A page is read at each request, so that a change is seen at once.
 */
export async function guideRoutes(app: FastifyInstance): Promise<void> {
  const repository = findRepository()
  if (repository === null) return
  app.addHook('onRequest', hideFromOthers)
  app.get('/guide/guide.css', async function guideStyle(_request, reply) {
    reply.type('text/css; charset=utf-8')
    return STYLE
  })
  const files = new Set(guideFiles(repository))
  for (const path of files) {
    const picture = PICTURES[extname(path)]
    app.get(`/guide/${path}`, async function guideFile(request, reply) {
      const content = readFileSync(join(repository, path))
      reply.type(picture ?? 'text/html; charset=utf-8')
      if (picture) return content
      // Its links and scripts are for this server, wherever it listens.
      return render(path, content.toString().replaceAll(USUAL_ORIGIN, ownOrigin(request)), files)
    })
  }
}
