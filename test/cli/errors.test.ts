// Every error leads on: its code is on the page of errors, and its hint names commands and options that
// there are.

import fs from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { commands } from '../../src/cli/commands.ts'
import { completionCommand } from '../../src/cli/parser.ts'
import { optionsOf } from './options.ts'

const root = path.join(import.meta.dirname, '..', '..')
const page = fs.readFileSync(path.join(root, 'docs', 'errors.md'), 'utf8')
const options = new Map(
  commands.map(({ command, builder }) => [command.split(' ', 1)[0] ?? '', ['help', 'version', ...optionsOf(builder)]]),
)
/** Options of other programs that hints name. */
const others = new Set(['configure', 'user', 'set-selections'])

t.test('every code of an error has its entry, and every entry is a code', async (t) => {
  const source = fs.readFileSync(path.join(root, 'src', 'model', 'failure.ts'), 'utf8')
  const codes = [...source.matchAll(/^ {2}\| '([a-z-]+)'/gm)].map((match) => match[1])
  const entries = [...page.matchAll(/^\| `([a-z-]+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$/gm)]
  t.ok(codes.length > 20)
  t.same(
    entries.map((match) => match[1]),
    codes,
  )
})

t.test('every hint and every message names only commands and options that there are', async (t) => {
  const texts = textsOf(path.join(root, 'src'))
  t.ok(texts.filter(({ isHint }) => isHint).length > 80, 'the hints are found')
  const wrong = texts.flatMap(({ file, text, isHint }) => problemsIn(text, isHint).map((why) => `${file}: ${why}`))
  t.same(wrong, [])
})

t.test('so does the page of errors, and every test that it names is there', async (t) => {
  const called = [...page.matchAll(/`(banyan [^`]*|--[a-z-]+)`/g)].map((match) => match[1] ?? '')
  t.same(
    called.flatMap((text) => problemsIn(text, true)),
    [],
  )
  const tests = [...page.matchAll(/test\/[a-z0-9/.-]+\.test\.ts/g)].map(([file]) => file)
  t.same(
    tests.filter((file) => !fs.existsSync(path.join(root, file))),
    [],
  )
})

interface Text {
  file: string
  text: string
  /** Whether it is the value of a property `hint`, or part of that. */
  isHint: boolean
}

/** What a hint says that does not exist. Elsewhere `banyan` may be the beginning of a sentence. */
function problemsIn(text: string, isHint: boolean): string[] {
  const problems: string[] = []
  for (const [, name = '', rest = ''] of text.matchAll(/\bbanyan ([a-z][a-z-]*)([^,;:()`]*)/g)) {
    const known = options.get(name)
    if (known === undefined) {
      if (isHint && name !== completionCommand) problems.push(`there is no command ${name}: ${text}`)
      continue
    }
    const untilNext = rest.split(/ banyan | on the root| there| here/)[0] ?? ''
    for (const [, option = ''] of untilNext.matchAll(/--([a-z][a-z-]*)/g)) {
      if (!known.includes(option)) problems.push(`banyan ${name} has no --${option}: ${text}`)
    }
  }
  if (!isHint) return problems
  const all = new Set([...options.values()].flat())
  for (const [, option = ''] of text.matchAll(/(?<![\w-])--([a-z][a-z-]*)/g)) {
    if (!all.has(option) && !others.has(option)) problems.push(`no command has --${option}: ${text}`)
  }
  return problems
}

/** All texts in the sources, line by line; of a template, the values stand as VALUE. */
function textsOf(folder: string): Text[] {
  const files = fs.readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))
  return files.flatMap((file) => {
    const lines = fs.readFileSync(path.join(folder, file), 'utf8').split('\n')
    let [isHint, goesOn] = [false, false]
    return lines.flatMap((line, index): Text[] => {
      if (/^\s*(\/\/|\/?\*)/.test(line)) return []
      isHint = /hint\b[^,;]*[:=]/i.test(line) || (isHint && (goesOn || /^\s*[?:+]/.test(line)))
      goesOn = /[:=+(?]$/.test(line)
      const literals = line.match(/'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`/g) ?? []
      const where = `${file}:${index + 1}`
      return literals.map((text) => ({ file: where, text: text.slice(1, -1).replace(/\$\{[^}]*\}/g, 'VALUE'), isHint }))
    })
  })
}
