import type { FastifyRequest } from 'fastify'
import { unmarked } from '../device/mark.js'
import { isHandshake } from '../http/same-origin.js'

/** A person who follows a link or types an address, not a script or a program (W3C Fetch Metadata §2.2). */
function isNavigation({ method, headers }: FastifyRequest): boolean {
  const { accept = '', 'sec-fetch-mode': mode = 'navigate' } = headers
  return (
    method === 'GET' && mode === 'navigate' && /\btext\/html\b/i.test(accept) && !isHandshake({ headers })
  )
}

const pathOf = (url: string) => url.split('?', 1)[0]

/**
 * The redirect target for a navigation without a recognised caller. Null for any other request. Also null for the login
 * page itself, which would redirect in a circle.
 */
export function loginAddress(request: FastifyRequest, loginPage: string): string | null {
  if (!isNavigation(request) || pathOf(request.url) === pathOf(loginPage)) return null
  const separator = loginPage.includes('?') ? '&' : '?'
  return `${loginPage}${separator}next=${encodeURIComponent(unmarked(request.url))}`
}
