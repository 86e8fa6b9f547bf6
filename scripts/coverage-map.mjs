// Runs the built package, and is slowed down by being measured.
const UNMEASURED = 'test/package.test.ts'

/**
 * Which files tap measures while a test file runs: the suite, not its tests and not the applications on it.
 * @param {string} test
 */
export default (test) => (test === UNMEASURED ? null : ['plugins/**/*.ts'])
