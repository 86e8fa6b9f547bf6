import type { Browser, BrowserContextOptions, CDPSession } from 'playwright-core'
import type { Test } from 'tap'
import { openWindow, runningClock, type Site, type Watched } from './chromium.js'
import { freePort } from './redis-server.js'
import { startUserCenter } from './user-center.js'

/** The user center under a name: passkeys work under no IP address. */
export async function startNamedSite(t: Test, env: Record<string, string> = {}): Promise<Site> {
  const port = await freePort()
  const origin = `http://localhost:${port}`
  const center = await startUserCenter(t, { ...env, PUBLIC_URL: origin }, runningClock())
  await center.app.listen({ port, host: '127.0.0.1' })
  return { ...center, port, origin }
}

/** Chromium's software authenticator, such as that of a laptop or a phone. */
export interface Authenticator {
  /** Whether its user is there and is verified. Otherwise it refuses. */
  verify(isVerified: boolean): Promise<void>
  /** How many passkeys it has. */
  count(): Promise<number>
}

async function addAuthenticator(cdp: CDPSession): Promise<Authenticator> {
  await cdp.send('WebAuthn.enable')
  const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  })
  return {
    verify: async (isUserVerified) => {
      await cdp.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified })
    },
    count: async () => (await cdp.send('WebAuthn.getCredentials', { authenticatorId })).credentials.length,
  }
}

/** As in a browser that offers no passkeys where it fills in usernames. This authenticator would take each offer at once. */
const WITHOUT_OFFERS = 'PublicKeyCredential.isConditionalMediationAvailable = async () => false'

/** A window of a machine with an authenticator. */
export async function openWithPasskeys(
  t: Test,
  browser: Browser,
  { hasOffers = false, ...options }: BrowserContextOptions & { readonly hasOffers?: boolean } = {},
): Promise<Watched & { readonly authenticator: Authenticator }> {
  const watched = await openWindow(t, browser, options)
  if (!hasOffers) await watched.page.addInitScript(WITHOUT_OFFERS)
  const cdp = await watched.page.context().newCDPSession(watched.page)
  return { ...watched, authenticator: await addAuthenticator(cdp) }
}
