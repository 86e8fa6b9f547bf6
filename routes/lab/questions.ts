import type { Identity, StateStore } from 'fastify-identity'
import type { Question } from './exchange.js'
import type { Text } from './text.js'

type Operation = Exclude<keyof StateStore, 'kind' | 'feed' | 'onRevoked'>

const WORDS: Readonly<Partial<Record<Operation, Text>>> = {
  generation: {
    en: 'Read the generation of the list of ended sign-ins.',
    zh: '读取“已结束登录”列表的代号。',
  },
  isLive: {
    en: 'Looked in the list of ended sign-ins. Each server keeps it in memory.',
    zh: '查看“已结束登录”列表（每台服务器都把它放在内存里）。',
  },
  addSignIn: { en: 'Stored the record of the new sign-in.', zh: '保存新的登录记录。' },
  findSignIn: { en: 'Looked up the record of the sign-in.', zh: '查询登录记录。' },
  listSignIns: { en: 'Listed the records of the account’s sign-ins.', zh: '列出该账户的登录记录。' },
  touchSignIn: {
    en: 'Noted the last use of the sign-in, at most once a minute.',
    zh: '记下该登录的最近使用时间（每分钟至多一次）。',
  },
  rotateRefresh: {
    en: 'Compared the refresh token’s number with the one in the record, and raised that if they were equal.',
    zh: '把刷新令牌的序号与记录中的序号比对；两者相同时，将记录中的序号加一。',
  },
  resealSignIn: {
    en: 'Sealed the sign-in record again, with the current key.',
    zh: '用当前密钥重新密封登录记录。',
  },
  settleBinding: {
    en: 'Read the sign-in record, and noted there what the sign-in is bound to, unless that was noted before.',
    zh: '读取登录记录；若其中还没有绑定信息，则记下该登录绑定到什么。',
  },
  endSignIn: {
    en: 'Added the sign-in to the list of ended ones, and removed its record and its session, if any. Every server with this store hears of it.',
    zh: '把该登录加入“已结束登录”列表，并删除其记录（以及会话，如果有）。使用该存储的每台服务器都会得知。',
  },
  endSignIns: {
    en: 'Added the account’s sign-ins to the list of ended ones, and removed their records and sessions. Every server with this store hears of it.',
    zh: '把该账户的登录加入“已结束登录”列表，并删除其记录和会话。使用该存储的每台服务器都会得知。',
  },
  raiseEpoch: { en: 'Raised the account’s epoch.', zh: '提高该账户的凭证版本。' },
  createSession: { en: 'Stored a new session.', zh: '保存新会话。' },
  readSession: { en: 'Looked up the session by its id.', zh: '按会话 ID 查询会话。' },
  replaceSession: { en: 'Stored the changed session.', zh: '保存修改后的会话。' },
  touchSession: { en: 'Moved the session’s idle limit forward.', zh: '延后会话的闲置期限。' },
  destroySession: { en: 'Removed the session.', zh: '删除会话。' },
}

/** Every server keeps a copy of the revocation list, so this needs no trip to a store. */
const FROM_MEMORY: ReadonlySet<string> = new Set<Operation>(['isLive'])

/** Wraps the store: `tell` hears of each operation before it runs. The store itself does not change. */
export function tellQuestions(store: StateStore, tell: (question: Question) => void): StateStore {
  const words = new Map<PropertyKey, Text>(Object.entries(WORDS))
  return new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      const what = words.get(name)
      return (...args: unknown[]): unknown => {
        if (what) tell({ of: FROM_MEMORY.has(String(name)) ? 'memory' : 'store', what })
        return Reflect.apply(value, target, args)
      }
    },
  })
}

/** Lookups in the accounts' database. */
export const ACCOUNT_WORDS = {
  verify: { en: 'Checked the password in the accounts’ database.', zh: '在账户数据库中核对密码。' },
  find: { en: 'Read the account from the accounts’ database.', zh: '从账户数据库读取账户。' },
  list: { en: 'Listed the account’s second factors.', zh: '列出该账户的两步验证方式。' },
  spend: {
    en: 'Marked the code as used, unless it was already used.',
    zh: '将该验证码标记为已使用；若已被使用，则不作更改。',
  },
  apiKey: { en: 'Looked up the API key in the accounts’ database.', zh: '在账户数据库中查询 API 密钥。' },
} as const satisfies Readonly<Record<string, Text>>

/** What a server keeps of credentials that it has verified. No operation of a store tells of it. */
const RECALLED = {
  session: {
    en: 'Found the session in its memory, where it stays for up to five minutes.',
    zh: '在内存里找到该会话（最多保留五分钟）。',
  },
  apiKey: { en: 'Found the API key in its memory.', zh: '在内存里找到该 API 密钥。' },
  live: {
    en: 'Knew the sign-in from an earlier request. The list of ended sign-ins has not changed since then.',
    zh: '此前的请求已查过该登录，“已结束登录”列表此后没有变化。',
  },
  unknown: { en: 'Remembered that the store has no such session.', zh: '记得存储中没有这个会话。' },
} as const satisfies Readonly<Record<string, Text>>

/** Whom a request's guard recognised, or why it recognised nobody. */
export interface Judged {
  readonly caller: Identity | null
  readonly refusedAs: string | null
}

/** What the server must have known from its memory, since it recognised the caller without asking a store. */
export function recalled({ caller, refusedAs }: Judged, asked: readonly Question[]): Question[] {
  const isAsked = (what: Text | undefined) => asked.some((question) => question.what === what)
  const all: Text[] = []
  if (caller?.mode === 'session' && !isAsked(WORDS.readSession)) all.push(RECALLED.session)
  if (caller?.mode === 'api_key' && !isAsked(ACCOUNT_WORDS.apiKey)) all.push(RECALLED.apiKey)
  if (caller && !isAsked(WORDS.isLive)) all.push(RECALLED.live)
  if (refusedAs === 'SIGNED_OUT' && asked.length === 0) all.push(RECALLED.unknown)
  return all.map((what) => ({ of: 'memory', what }))
}
