/** Which files tap measures while a test file runs: the suite, not its tests and not the applications on it. */
export default () => ['plugins/**/*.ts']
