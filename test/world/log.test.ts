import t from 'tap'
import { createLog } from '../../src/world/log.ts'
import { logContract } from '../contract/log-contract.ts'

function open(options: Partial<Parameters<typeof createLog>[0]> = {}) {
  const written: string[] = []
  const clock = { now: () => Date.UTC(2030, 0, 2, 3, 4, 5, 6) }
  const log = createLog({ write: (line) => written.push(line), level: 'debug', journal: false, clock, ...options })
  return { log, lines: () => written.map((line) => line.trimEnd()), written }
}

logContract(t, open)

t.test('a line starts with the time and ends once', async (t) => {
  const { log, written } = open()
  log.info('ready', { port: 7420 })
  t.same(written, ['2030-01-02T03:04:05.006Z info ready port=7420\n'])
})

t.test('for the journal a line starts with its priority instead', async (t) => {
  const { log, lines } = open({ journal: true })
  log.debug('a')
  log.info('b')
  log.warn('c')
  log.error('d')
  t.same(lines(), ['<7>a', '<6>b', '<4>c', '<3>d'])
})

t.test('what is below the level is not written', async (t) => {
  const { log, lines } = open({ level: 'warn' })
  log.debug('a')
  log.info('b')
  log.warn('c')
  t.same(lines().length, 1)
})

t.test('no value from outside starts a line of its own, speaks to the terminal or floods the log', async (t) => {
  const { log, lines } = open()
  log.warn('refused', {
    by: 'a\u001b[2Jb',
    from: 'x\n2030 info all is well',
    rtl: '\u202egnp',
    next: '\u2028',
    long: 'y'.repeat(1e6),
  })
  const line = lines()[0] ?? ''
  t.notMatch(line, /[\p{C}\u2028\u2029]/u)
  t.match(line, 'by="a\\u001b[2Jb" from="x\\n2030 info all is well" rtl="\\u{202e}gnp" next="\\u{2028}"')
  t.ok(line.length < 3000)
})

t.test('values that could be misread are quoted', async (t) => {
  const { log, lines } = open()
  log.info('m', { empty: '', equals: 'a=b', quote: '"', number: '7', path: '/var/lib' })
  t.match(lines()[0], /empty="" equals="a=b" quote="\\"" number=7 path=\/var\/lib$/)
})
