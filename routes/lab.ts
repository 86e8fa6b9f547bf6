import { Type, type TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance, FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import { answer } from './http/answer.js'
import { BodyInvalid, NotFound } from './http/errors.js'
import { answerFailure } from './http/failures.js'
import { readJsonOnly } from './http/json.js'
import { languageOf } from './http/messages.js'
import { USUAL_ORIGIN } from './lab/curl.js'
import type { Experiment, Outcome } from './lab/experiment.js'
import { EXPERIMENTS } from './lab/experiments.js'
import { hideFromOthers, ownOrigin } from './lab/gate.js'
import { mailsRoute } from './lab/mails.js'
import { otherSiteRoutes } from './lab/other-site.js'
import { say } from './lab/text.js'
import { Turns } from './lab/turns.js'
import { Lab } from './lab/world.js'
import { servePage } from './page.js'

const RunBody = Type.Object(
  {
    choices: Type.Optional(Type.Record(Type.String(), Type.String({ maxLength: 64 }))),
    edit: Type.Optional(
      Type.Object(
        {
          at: Type.Integer({ minimum: 0, maximum: 8192 }),
          to: Type.String({ pattern: '^[ -~]$' }),
        },
        { additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false },
)
type RunBody = Type.Static<typeof RunBody>

/** One runs, and the others wait. */
const RUNS_AT_ONCE = 5

function describe({ run: _run, ...description }: Experiment, index: number) {
  return { ...description, number: index + 1 }
}

const named = (name: string) => EXPERIMENTS.find((each) => each.name === name)

/** An unknown name is refused before the body is read, as any unknown path is. */
function findExperiment(
  request: FastifyRequest<{ Params: { name: string } }>,
  _reply: FastifyReply,
  done: HookHandlerDoneFunction,
): void {
  done(named(request.params.name) ? undefined : new NotFound())
}

/**
 * The chosen options, or the defaults. Nothing else of the caller reaches the experiment.
 * @throws BODY_INVALID for an unknown choice or option
 */
function choose({ choices }: Experiment, chosen: Readonly<Record<string, string>>): Record<string, string> {
  if (!Object.keys(chosen).every((id) => choices.some((choice) => choice.id === id))) throw new BodyInvalid()
  const entries = choices.map(({ id, options }) => {
    const wanted = Object.hasOwn(chosen, id) ? chosen[id] : options[0]?.id
    const option = options.find((each) => each.id === wanted)
    if (!option) throw new BodyInvalid()
    return [id, option.id] as const
  })
  return Object.fromEntries(entries)
}

async function run(experiment: Experiment, body: RunBody, lab: Lab): Promise<Outcome> {
  try {
    return await experiment.run(lab, choose(experiment, body.choices ?? {}), body.edit ?? null)
  } finally {
    await lab.close()
  }
}

/**
 * The experiments: each runs on a user center of its own, with worthless credentials. In development only, and only for
 * this machine. An attacker's page can neither read them nor run one.
 */
export async function labRoutes(scope: FastifyInstance): Promise<void> {
  scope.setErrorHandler(answerFailure)
  readJsonOnly(scope)
  const app = scope.withTypeProvider<TypeBoxTypeProvider>()
  const turns = new Turns(RUNS_AT_ONCE)
  await scope.register(otherSiteRoutes)
  await scope.register(mailsRoute)

  servePage(scope, { url: '/lab', folder: 'lab', onRequest: hideFromOthers })

  app.get('/lab/experiments', { onRequest: hideFromOthers }, async function listExperiments(request) {
    return answer(request, 'EXPERIMENTS', { data: say(EXPERIMENTS.map(describe), languageOf(request)) })
  })

  app.post(
    '/lab/experiments/:name',
    {
      schema: { params: Type.Object({ name: Type.String() }), body: RunBody },
      onRequest: [hideFromOthers, findExperiment],
      preHandler: app.csrf.sameOrigin,
    },
    async function runExperiment(request) {
      const { body, params } = request
      const experiment = named(params.name)
      if (!experiment || (body.edit && !experiment.edit)) throw new BodyInvalid()
      const lab = new Lab(languageOf(request))
      const outcome = await turns.take(() => run(experiment, body, lab))
      const curl = outcome.curl.replace(USUAL_ORIGIN, ownOrigin(request))
      return answer(request, 'EXPERIMENT_RUN', { data: say({ ...outcome, curl }, lab.language) })
    },
  )
}
