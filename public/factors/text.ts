import { language } from '../lib/language.js'
import { en, type FactorTexts } from './en.js'
import { zh } from './zh.js'

/** The texts about second factors. They load with their views, in both languages. */
export const factorTexts = (): FactorTexts => (language() === 'zh' ? zh : en)
