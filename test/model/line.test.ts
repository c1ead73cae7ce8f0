import fc from 'fast-check'
import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import { lineOf, shownJson, shownOf, writtenOut } from '../../src/model/line.ts'

const wild = fc.string({ unit: 'binary', maxLength: 200 })
const commands = [
  '\u001b[2J',
  '\u009b2J',
  '\u0007',
  '\r',
  '\u0085',
  '\u2028',
  '\u202e',
  '\u2066',
  '\u200b',
  '\ufeff',
  '\ud800',
]

t.test('a line from elsewhere has no line end, no command and no turn of direction, and ends', async (t) => {
  fc.assert(
    fc.property(wild, fc.constantFrom(...commands, '\n', '\t'), (text, command) => {
      const line = lineOf(`${text}${command}${text}`)
      return !/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u.test(line) && line.length <= limits.textMaxChars
    }),
  )
  t.equal(lineOf('Zürich 東京'), 'Zürich 東京')
})

t.test('what is shown keeps its lines and nothing else that a terminal obeys', async (t) => {
  for (const command of commands) {
    const shown = shownOf(`a\n\tb${command}c`)
    t.match(shown, /^a\n\tb\ufffd(\[?2J)?c$/, command.charCodeAt(0).toString(16))
  }
})

t.test('JSON that is shown is the same JSON, without a command', async (t) => {
  fc.assert(
    fc.property(wild, (text) => {
      const json = shownJson(JSON.stringify({ text }, null, 2))
      return JSON.parse(json).text === text && !/(?!\n)[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u.test(json)
    }),
  )
  t.pass()
})

t.test('a log writes out what it does not keep', async (t) => {
  t.equal(writtenOut('a\nb\u202ec'), 'a\\u{a}b\\u{202e}c')
})
