import { signIn } from '../../helpers/http.js'
import { type Page, startCenter } from '../runners.js'
import { holdsLabels, sameCookie } from '../shown.js'

const page: Page = {
  credential: async (t, text) => {
    const { app } = await startCenter(t)
    const { response } = await signIn(app, 'cookie')
    sameCookie(t, text, String([response.headers['set-cookie']].flat()[0]))
  },
  inspect: async (t, text) => {
    const center = await startCenter(t)
    const { credential } = await signIn(center.app, 'cookie')
    await holdsLabels(t, text, center, credential.cookie)
  },
}

export default page
