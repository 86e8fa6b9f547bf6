/** In the browser's dark mode, and with a way back to the page. No policy allows inline scripts and styles. */
const SCRIPT = `const dark = matchMedia('(prefers-color-scheme: dark)')
const follow = () => document.documentElement.classList.toggle('dark-mode', dark.matches)
follow()
dark.addEventListener('change', follow)
const back = document.createElement('a')
back.href = '/'
back.id = 'back'
back.textContent = '← User center'
document.body.prepend(back)
`

const STYLE = `#back { display: block; max-width: 1460px; margin: 0 auto; padding: 1rem 20px 0; font: 1rem sans-serif; color: #0e5a5f; }
html.dark-mode body { background: #1c2022; }
html.dark-mode #back { color: #7cc4bf; }
`

/** How the page at `/docs` looks. */
export const THEME = {
  title: 'API documentation · User center',
  css: [{ filename: 'page.css', content: STYLE }],
  js: [{ filename: 'page.js', content: SCRIPT }],
}
