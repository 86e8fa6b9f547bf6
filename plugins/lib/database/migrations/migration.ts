import type { Migration } from 'kysely/migration'

/** A step from one version of the tables to the next. One that was released never changes. */
export type { Migration }
