import { startPage } from './main.js'
import { zh } from './text/zh.js'

void startPage({ language: 'zh', own: zh, loadOther: async () => (await import('./text/en.js')).en })
