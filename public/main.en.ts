import { startPage } from './main.js'
import { en } from './text/en.js'

void startPage({ language: 'en', own: en, loadOther: async () => (await import('./text/zh.js')).zh })
