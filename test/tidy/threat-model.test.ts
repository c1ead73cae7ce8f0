// docs/threat-model.md promises what tests show: each test that the page names exists.

import fs from 'node:fs'
import path from 'node:path'
import t from 'tap'

const root = path.join(import.meta.dirname, '..', '..')
const page = fs.readFileSync(path.join(root, 'docs', 'threat-model.md'), 'utf8')

/** `file: name of the test`, in backticks; a line may end within the name. */
function testsNamedIn(text: string): { file: string; name: string }[] {
  const spans = text.matchAll(/`([a-z0-9]+\/[a-z0-9/-]+):\s([^`]+)`/g)
  return [...spans].map(([, file = '', name = '']) => ({ file, name: name.replace(/\s+/g, ' ') }))
}

function missing({ file, name }: { file: string; name: string }): string[] {
  const place = path.join(root, 'test', `${file}.test.ts`)
  if (!fs.existsSync(place)) return [`${file}: there is no such file`]
  return fs.readFileSync(place, 'utf8').includes(name) ? [] : [`${file}: no test is named "${name}"`]
}

t.test('each test that the threat model names exists', async (t) => {
  const named = testsNamedIn(page)
  t.ok(named.length > 60, `${named.length} are named`)
  t.same(named.flatMap(missing), [])
})

t.test('each row of the tables says what shows it', async (t) => {
  const rows = page.split('\n').filter((line) => line.startsWith('| ') && !/^\| (cannot|promise|---)/.test(line))
  t.ok(rows.length > 40, `${rows.length} rows`)
  t.same(
    rows.filter((row) => testsNamedIn(row.split(' | ')[1] ?? '').length === 0),
    [],
  )
})

t.test('a test that is not there is seen', async (t) => {
  const [gone, other] = testsNamedIn('`e2e/nowhere: x` and `trust/fleet: nobody\nwrote this`, not `npm test`')
  t.match(
    [gone, other].flatMap((each) => (each === undefined ? [] : missing(each))),
    [/no such file/, /no test is named/],
  )
})
