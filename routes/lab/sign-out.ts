import type { Answered, Browser } from './browser.js'
import { carry, type Mode } from './credentials.js'

/** An address far from the learner's, for a thief or a stranger (RFC 5737). */
export const ELSEWHERE = '203.0.113.9'

/** Signs out, as the page does. */
export async function signOut(browser: Browser, mode: Mode): Promise<Answered> {
  const answered = await browser.send({
    title: { en: 'Sign out', zh: '退出登录' },
    method: 'POST',
    path: `/logout_${mode}`,
    headers: mode === 'token' ? carry(mode, browser.storage.get('access token') ?? '') : {},
  })
  browser.storage.clear()
  return answered
}
