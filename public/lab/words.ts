import { language } from '../lib/language.js'
import { en, type Words } from './text/en.js'
import { zh } from './text/zh.js'

/** The lab's own texts. Those of the experiments come from the server. */
export const words = (): Words => (language() === 'zh' ? zh : en)
