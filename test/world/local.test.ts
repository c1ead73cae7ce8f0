import { existsSync, statSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import t, { type Test } from 'tap'
import { Failure } from '../../src/model/failure.ts'
import { limits } from '../../src/model/limits.ts'
import { type LocalRequest, type LocalResponse, requestLocal, serveLocal } from '../../src/world/local.ts'
import { failureCodeOf } from '../contract/contract.ts'

type Handler = (request: LocalRequest) => Promise<LocalResponse>
type Ask = (options: Partial<Parameters<typeof requestLocal>[0]>) => ReturnType<typeof requestLocal>

const handlers: { next: Handler } = { next: async () => ({ status: 200, json: null }) }

check(
  'a request reaches the handler whole, and its answer comes back',
  async (t, ask, { requests }) => {
    t.same(await ask({ method: 'POST', url: '/publish?dry=yes', body: { path: '/x', n: [1] } }), {
      status: 201,
      json: { got: 'ü' },
    })
    t.match(requests[0], { method: 'POST', path: '/publish', query: { dry: 'yes' } })
    t.equal(Buffer.from(requests[0]?.body ?? '').toString(), '{"path":"/x","n":[1]}')
    await ask({ url: '/status' })
    t.match(requests[1], { method: 'GET', path: '/status', query: {} })
    t.equal(requests[1]?.body.length, 0)
  },
  async () => ({ status: 201, json: { got: 'ü' } }),
)

check('what is no JSON comes as it is', async (t, ask) => {
  handlers.next = async () => ({ status: 200, text: '# EOF\n', contentType: 'text/plain' })
  t.same(await ask({ url: '/metrics' }), { status: 200, json: '# EOF\n' })
})

check('lines come one by one, while the handler still works', async (t, ask) => {
  const lines: unknown[] = []
  let release = () => {}
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  handlers.next = async () => ({
    status: 200,
    lines: (async function* () {
      yield { step: 1 }
      await released
      yield { step: 2, text: 'two\nlines ü' }
      yield 'x'.repeat(300_000)
    })(),
  })
  const answer = await ask({
    url: '/apply',
    onLine: (line) => {
      lines.push(line)
      release()
    },
  })
  t.same(lines, [{ step: 1 }, { step: 2, text: 'two\nlines ü' }, 'x'.repeat(300_000)])
  t.same(answer, { status: 200, json: undefined })
})

check('a caller that goes away ends the lines', async (t, ask, { requests }) => {
  const stop = new AbortController()
  let ended = () => {}
  const linesEnded = new Promise<void>((resolve) => {
    ended = resolve
  })
  handlers.next = async ({ signal }) => ({
    status: 200,
    lines: (async function* () {
      try {
        for (let n = 0; !signal.aborted; n += 1) {
          yield n
          await new Promise(setImmediate)
        }
      } finally {
        ended()
      }
    })(),
  })
  const answer = ask({ url: '/watch', signal: stop.signal, onLine: (line) => (line === 10 ? stop.abort() : undefined) })
  t.equal(await failureCodeOf(answer), 'stopped')
  await linesEnded
  t.equal(requests[0]?.signal.aborted, true)
})

check('a Failure travels as it is, also in the midst of lines', async (t, ask) => {
  const failure = new Failure('locked', 'somebody else is at it', { hint: 'wait' })
  handlers.next = async () => {
    throw failure
  }
  await t.rejects(ask({ url: '/' }), { name: 'Failure', code: 'locked', message: failure.message, hint: 'wait' })
  handlers.next = async () => ({
    status: 200,
    lines: (async function* () {
      yield 1
      throw failure
    })(),
  })
  const lines: unknown[] = []
  await t.rejects(ask({ url: '/', onLine: (line) => lines.push(line) }), { code: 'locked', hint: 'wait' })
  t.same(lines, [1])
})

check('an error of the daemon’s own is told to its log, not to the caller', async (t, ask, { errors }) => {
  handlers.next = async () => {
    throw new Error('inner secret')
  }
  await t.rejects(ask({ url: '/' }), { code: 'refused', message: 'the daemon failed on this request' })
  t.match(errors, [/inner secret/])
})

check('a request that is too large is refused', async (t, ask, { requests }) => {
  const body = 'x'.repeat(limits.localRequestMaxBytes)
  t.equal(await failureCodeOf(ask({ method: 'POST', url: '/', body })), 'too-large')
  t.equal(requests.length, 0)
})

check('only the owner can open the socket', async (t, _ask, { path }) => {
  t.equal(statSync(path).mode & 0o777, 0o600)
})

check('a second daemon is refused, and the first goes on', async (t, ask, { path }) => {
  t.equal(await failureCodeOf(serve(path)), 'locked')
  t.equal((await ask({ url: '/' })).status, 200)
})

check('an answer that takes too long is given up', async (t, ask) => {
  handlers.next = ({ signal }) => aborted(signal).then(() => ({ status: 200, json: null }))
  t.equal(await failureCodeOf(ask({ url: '/', timeoutMs: 50 })), 'timed-out')
})

check('a daemon that ends says so to those who wait', async (t, ask, { server }) => {
  let asked = () => {}
  const reached = new Promise<void>((resolve) => {
    asked = resolve
  })
  handlers.next = async ({ signal }) => {
    asked()
    await aborted(signal)
    throw new Failure('stopped', 'banyan is stopping')
  }
  const answer = failureCodeOf(ask({ url: '/' }))
  await reached
  await server.close()
  t.equal(await answer, 'stopped')
  t.equal(await failureCodeOf(ask({ url: '/' })), 'not-running')
})

t.test('where no daemon runs, that is said, and how to start it', async (t) => {
  const folder = t.testdir({ file: '' })
  for (const path of [`${folder}/none.sock`, `${folder}/none/none.sock`, `${folder}/file`]) {
    await t.rejects(requestLocal({ path, method: 'GET', url: '/' }), { code: 'not-running', hint: /banyan node/ })
  }
})

t.test('a socket file that nobody listens at is replaced', async (t) => {
  const path = `${t.testdir({})}/control.sock`
  await writeFile(path, '')
  const server = await serve(path)
  t.equal((await requestLocal({ path, method: 'GET', url: '/' })).status, 200)
  await server.close()
  t.equal(existsSync(path), false)
})

t.test('a home may lie deeper than a socket’s path can be long', async (t) => {
  const folder = `${t.testdir({})}/${'deep/'.repeat(40)}run`
  await mkdir(folder, { recursive: true })
  const path = `${folder}/control.sock`
  t.equal(await failureCodeOf(requestLocal({ path, method: 'GET', url: '/' })), 'not-running')
  const server = await serve(path)
  t.equal((await requestLocal({ path, method: 'GET', url: '/' })).status, 200)
  t.equal(statSync(path).mode & 0o777, 0o600)
  t.equal(await failureCodeOf(serve(path)), 'locked')
  await server.close()
  t.equal(existsSync(path), false)
})

t.test('who hangs up without an answer has gone away', async (t) => {
  // A path of its own, and a short one: the checkout may lie deeper than a socket's path can be
  // long.
  const folder = await mkdtemp(`${tmpdir()}/banyan-`)
  const path = `${folder}/control.sock`
  const server = createServer((socket) => socket.destroy())
  await new Promise<void>((resolve) => server.listen(path, resolve))
  t.teardown(async () => {
    server.close()
    await rm(folder, { recursive: true })
  })
  t.equal(await failureCodeOf(requestLocal({ path, method: 'GET', url: '/' })), 'stopped')
})

function serve(path: string, handler: Handler = async () => ({ status: 200, json: null }), errors: string[] = []) {
  return serveLocal({ path, handler, onError: (error, at) => errors.push(`${at} ${error}`) })
}

function check(
  promise: string,
  body: (
    t: Test,
    ask: Ask,
    stage: { path: string; requests: LocalRequest[]; errors: string[]; server: Awaited<ReturnType<typeof serve>> },
  ) => Promise<void>,
  handler: Handler = async () => ({ status: 200, json: null }),
): void {
  t.test(promise, async (t) => {
    const path = `${t.testdir({})}/control.sock`
    const requests: LocalRequest[] = []
    const errors: string[] = []
    handlers.next = handler
    const recorded: Handler = (request) => {
      requests.push(request)
      return handlers.next(request)
    }
    const server = await serve(path, recorded, errors)
    const ask: Ask = (options) => requestLocal({ path, method: 'GET', url: '/', ...options })
    await body(t, ask, { path, requests, errors, server })
    await server.close()
  })
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve())
  })
}
