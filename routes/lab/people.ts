import type { Account, AccountSource } from 'fastify-identity'

export interface Person extends Account {
  readonly password: string
}

/** The people of every experiment. */
export const USER: Person = { id: '2', username: 'user1', role: 'user', password: 'user123' }
export const ADMIN: Person = { id: '1', username: 'admin', role: 'admin', password: 'admin123' }

/** What a login form sends. */
export const credentialsOf = ({ username, password }: Person) => ({ username, password })

/** The account without its password. */
export const accountOf = ({ id, username, role }: Person): Account => ({ id, username, role })

const PEOPLE = [ADMIN, USER]

/**
 * Passwords are compared as they are: a hash would take longer than the rest of a run, and these passwords are public.
 * `tell` hears of each lookup.
 */
export function labAccounts(tell: (lookup: 'verify' | 'find') => void): AccountSource {
  return {
    async verify(username, password) {
      tell('verify')
      const person = PEOPLE.find((each) => each.username === username && each.password === password)
      return person ? accountOf(person) : null
    },
    async find(id) {
      tell('find')
      const person = PEOPLE.find((each) => each.id === id)
      return person ? accountOf(person) : null
    },
  }
}
