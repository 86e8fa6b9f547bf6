import { KeyFormat } from '../../../plugins/lib/api-key/format.js'
import type { Page } from '../runners.js'

const page: Page = {
  key: async (t, text) => {
    const format = new KeyFormat('fik')
    t.equal(text.trim().length, format.make().key.length)
    t.match(text.trim(), /^fik_\w{16}_\w{27}_\w{6}$/)
    t.ok(format.idOf(text.trim()), 'with a right check')
  },
}

export default page
