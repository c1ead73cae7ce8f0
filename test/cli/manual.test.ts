// The manual page and the README against the command line itself.

import fs from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { commands } from '../../src/cli/commands.ts'
import { completionCommand } from '../../src/cli/parser.ts'
import { optionsOf } from './options.ts'

const root = path.join(import.meta.dirname, '..', '..')
const manual = fs.readFileSync(path.join(root, 'docs', 'banyan.1'), 'utf8').replaceAll('\\-', '-')
const readme = fs.readFileSync(path.join(root, 'README.md'), 'utf8')
const names = commands.map(({ command }) => command.split(' ')[0] ?? '')

t.test('the manual page has every command', async (t) => {
  for (const name of names) t.match(manual, new RegExp(`^\\\\fBbanyan ${name}( create)?\\\\fR`, 'm'), name)
})

t.test('the manual page has every option', async (t) => {
  for (const option of new Set(commands.flatMap((command) => optionsOf(command.builder)))) {
    t.ok(manual.includes(`--${option}`), `--${option}`)
  }
})

t.test('the manual page is of this version', async (t) => {
  const { version } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'))
  t.match(manual, `"banyan ${version}"`)
})

t.test('the manual page and the README call only commands that there are', async (t) => {
  const called = [...`${manual}\n${readme}`.matchAll(/^(?:\\fB)?banyan ([a-z][a-z-]*)/gm)].map(
    (match) => match[1] ?? '',
  )
  t.ok(called.length > 10)
  t.same(
    called.filter((name) => ![...names, completionCommand].includes(name)),
    [],
  )
})
