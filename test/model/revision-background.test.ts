import t from 'tap'
import { backgroundOf, type Rule } from '../../src/model/revision.ts'

const digestOf = (letter: string) => letter.repeat(64)

function rule(packages: Record<string, string>, terms?: Rule['terms']): Rule {
  const wanted = Object.entries(packages).map(([name, letter]) => [
    name,
    { state: 'present', builds: { all: { version: '1.0', manifest: digestOf(letter) } } },
  ])
  const rule: Rule = { line: 1, nodes: 'all', except: [], packages: Object.fromEntries(wanted) }
  return terms === undefined ? rule : { ...rule, terms }
}

t.test('what only rules for the background name is brought in the background', async (t) => {
  const rules = [
    rule({ bulk: 'a', maps: 'b' }, { background: true }),
    rule({ maps: 'b', shop: 'c' }),
    rule({ maps: 'd', shop: 'c' }, { background: true, urgent: true }),
  ]
  t.same(backgroundOf({ rules }), new Set([digestOf('a'), digestOf('d')]))
  t.same(backgroundOf({ rules: [rule({ shop: 'c' })] }), new Set())
})
