import * as fc from 'fast-check'
import t from 'tap'
import { UsageError } from '../../src/cli/command.ts'
import { parseDuration } from '../../src/cli/duration.ts'

t.test('a duration is a count and a unit', async (t) => {
  t.equal(parseDuration('30s', '--ttl'), 30_000)
  t.equal(parseDuration('15m', '--ttl'), 15 * 60_000)
  t.equal(parseDuration('1h', '--ttl'), 3600_000)
  t.equal(parseDuration('7d', '--ttl'), 7 * 24 * 3600_000)
})

t.test('anything else is wrong usage', async (t) => {
  for (const text of ['', '0s', '1', 'h', '-1h', '1.5h', '1H', '1h30m', ' 1h', '1h ', '1w', '9999999999s', '1e3s']) {
    t.throws(() => parseDuration(text, '--ttl'), { name: 'UsageError', message: /^--ttl: / }, text)
  }
})

t.test('whatever is typed gives a safe number of milliseconds or a usage error', async () => {
  const typed = fc.oneof(fc.string(), fc.stringMatching(/^\d{0,12}[a-z]?$/))
  fc.assert(
    fc.property(typed, (text) => {
      try {
        const ms = parseDuration(text, '--ttl')
        return Number.isSafeInteger(ms) && ms > 0
      } catch (error) {
        return error instanceof UsageError
      }
    }),
    { examples: [['200000000d']] },
  )
})
