import type { Migration } from './migration.js'

/** What authenticates a sign-in's record, and holds its claims. Null for those of version 0.1. */
export const sealMigrations: Record<string, Migration> = {
  '0005_sealed_sign_ins': {
    async up(db) {
      await db.schema.alterTable('sign_ins').addColumn('seal', 'text').execute()
    },
  },
}
