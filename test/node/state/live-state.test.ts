import t from 'tap'
import type { Effect } from '../../../src/node/state/events.ts'
import { keepState } from '../../../src/node/state/live-state.ts'
import { nothingRemembered } from '../../../src/node/state/remembered.ts'
import { initialState } from '../../../src/node/state/state.ts'

const saved = { records: [], converged: 7, quarantine: [], remembered: nothingRemembered }

t.test('what happens before all parts are there waits until they are', async (t) => {
  const { live, effects } = stage()
  live.dispatch({ kind: 'site-seen', site: 'berlin' })
  t.notOk(live.hasBegun())
  t.same([live.state().site, effects], [null, []])
  live.begin({ kind: 'started', ...saved })
  t.match(live.state(), { converged: 7, site: 'berlin' })
  t.same(effects.slice(0, 2), ['refresh', 'look-later'], 'and comes after the start')
  t.ok(live.hasBegun())
})

t.test('who watches is told after the effects, and of a part only when that has changed', async (t) => {
  const { live, effects } = stage()
  live.begin({ kind: 'started', ...saved })
  effects.length = 0
  const stop = live.onChange(() => effects.push('told'))
  live.watch('site', (site) => effects.push(`at ${site}`))
  live.dispatch({ kind: 'holding-changed' })
  t.same(effects, ['announce', 'told'])
  stop()
  live.dispatch({ kind: 'site-seen', site: 'berlin' })
  live.dispatch({ kind: 'site-seen', site: 'berlin' })
  t.same(
    effects.filter((each) => each === 'told' || each.startsWith('at')),
    ['told', 'at berlin'],
  )
})

function stage() {
  const effects: string[] = []
  const initial = initialState({ name: 'n', labels: {}, site: null, isRoot: false, checkIntervalMs: 1000 })
  return { live: keepState(initial, ({ kind }: Effect) => effects.push(kind)), effects }
}
