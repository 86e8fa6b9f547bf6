import type { FastifyInstance } from 'fastify'
import type { Page } from 'playwright-core'
import { codeAt } from './factor-center.js'

/* The page's second step, as a person takes it. */

export const PASSWORD = 'a long enough one'

export async function person(app: FastifyInstance, username: string) {
  await app.accounts.create({ username, password: PASSWORD, role: 'user' })
  return { username, password: PASSWORD }
}

/** Gives the password, as far as the second step. */
export async function givePassword(page: Page, way: string, username: string): Promise<void> {
  await page.locator(`label[for=way-${way}]`).click()
  await page.locator('#username').fill(username)
  await page.locator('#password').fill(PASSWORD)
  await page.locator('#sign-in-button').click()
  await page.locator('#second-step').waitFor()
}

export async function giveCode(page: Page, code: string): Promise<void> {
  await page.locator('#proof').fill(code)
  await page.locator('#give-proof').click()
}

export const signedIn = (page: Page, way: string) => page.locator(`#recognised[data-mode=${way}]`).waitFor()

export async function signOut(page: Page): Promise<void> {
  await page.locator('#sign-out').click()
  await page.locator('#sign-in-button').waitFor()
}

/** Adds an authenticator app. @param now milliseconds @returns its secret, and the recovery codes */
export async function addApp(page: Page, now: number) {
  await page.locator('#add-totp').click()
  await page.locator('#totp-code').waitFor()
  const shown = (await page.locator('#totp-secret').textContent()) ?? ''
  const secret = shown.replaceAll(' ', '')
  await page.locator('#totp-code').fill(codeAt(secret, now))
  await page.locator('#totp-name').fill('Phone')
  await page.locator('#confirm-totp').click()
  await page.locator('#codes-title').waitFor()
  return { secret, codes: await page.locator('.code-list code').allTextContents() }
}
