import { RedisStore } from 'connect-redis'
import express from 'express'
import session from 'express-session'
import { createClient } from 'redis'
import { place, required, SECRET } from '../lib/environment.js'
import { userInfo } from '../lib/profile.js'

declare module 'express-session' {
  interface SessionData {
    username: string
  }
}

// As the READMEs have it.
const client = createClient({ url: required('REDIS_URL') })
await client.connect()
const app = express()
app.use(
  session({ store: new RedisStore({ client }), resave: false, saveUninitialized: false, secret: SECRET }),
)

app.post('/sign_in', express.json(), (request, response, next) => {
  request.session.regenerate((error) => {
    if (error) return next(error)
    request.session.username = request.body.username
    response.json({})
  })
})

app.get('/user_info', (request, response) => {
  const { username } = request.session
  if (username === undefined) response.status(401).json({ code: 401 })
  else response.json(userInfo(username, 'session'))
})

const { port, host } = place()
app.listen(port, host)
