import type { AccountSource } from 'fastify-identity'
import { initialAvatar } from '../../routes/profile-cache.js'

/** All names have one length, so that all answers have. */
export function usernameOf(index: number): string {
  return `user-${String(index).padStart(7, '0')}`
}

/** The body of every contender, as `GET /user_info` has it. */
export interface UserInfo {
  readonly code: number
  readonly msg: string
  readonly data: { readonly username: string; readonly role: string; readonly avatar: string }
  readonly auth_type: string
}

const string = { type: 'string' } as const

/** Fastify compiles a serializer from it. */
export const userInfoSchema = {
  response: {
    200: {
      type: 'object',
      properties: {
        code: { type: 'integer' },
        msg: string,
        data: { type: 'object', properties: { username: string, role: string, avatar: string } },
        auth_type: string,
      },
    },
  },
} as const

/** Every contender finds a user's avatar at the same small cost. */
const AVATAR = initialAvatar(usernameOf(0))

export function userInfo(username: string, mode: string): UserInfo {
  return {
    code: 200,
    msg: 'You are signed in.',
    data: { username, role: 'user', avatar: AVATAR },
    auth_type: mode,
  }
}

/** The application's own account of that name. */
export function accountOf(username: string) {
  return { id: username, username, role: 'user' }
}

/** The application's accounts: every name has one, and every password is right. */
export const accounts: AccountSource = {
  verify: async (username) => accountOf(username),
  find: async (id) => accountOf(id),
}

/** The error of a contender without its own guard. */
export function nobody(): Error {
  return Object.assign(new Error('Nobody is signed in.'), { statusCode: 401 })
}
