import type { FastifyBaseLogger } from 'fastify'
import type { ClockVerdict, RedisClock } from './clock.js'

const CONSEQUENCE =
  'nobody can sign in or refresh here, nothing is collected, and this instance is not ready.'

const SENTENCES: Record<Exclude<ClockVerdict, 'agrees'>, string> = {
  own: `The clock of this machine is wrong, for other instances agree with Redis: ${CONSEQUENCE}`,
  redis: `The clock of Redis is wrong, for other instances differ from it as this one does: ${CONSEQUENCE}`,
  unclear: `The clock of this machine, or that of Redis, is wrong: ${CONSEQUENCE}`,
}

/** Says in the log when the clocks begin to differ, whose it is as soon as that is known, and when they agree again. */
export function tellOfClock(log: Pick<FastifyBaseLogger, 'error' | 'info'>, clock: RedisClock): void {
  const tell = (verdict: ClockVerdict, offset: number) => {
    const details = { redisAheadBySeconds: Math.round(offset / 1000) }
    if (verdict === 'agrees') log.info(details, 'The clock agrees with that of Redis again.')
    else log.error(details, SENTENCES[verdict])
  }
  if (clock.isOff) tell(clock.verdict, clock.difference)
  clock.onChange(({ verdict, offset }) => tell(verdict, offset))
}
