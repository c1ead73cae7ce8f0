import t from 'tap'
import { createLiveState } from '../../../src/node/state/live-state.ts'
import { nothingRemembered } from '../../../src/node/state/remembered.ts'
import { initialState } from '../../../src/node/state/state.ts'

const saved = { records: [], converged: 7, quarantine: [], remembered: nothingRemembered }

t.test('what happens before all parts are there waits until they are', async (t) => {
  const { live, effects, begin } = stage()
  live.dispatch({ kind: 'site-seen', site: 'berlin' })
  t.same([live.state().siteSeen, effects], [null, []])
  begin()
  t.match(live.state(), { converged: 7, siteSeen: 'berlin' })
  t.same(effects.slice(0, 2), ['refresh', 'look-later'], 'and comes after the start')
})

t.test('who watches is told after the effects', async (t) => {
  const { live, effects, begin } = stage()
  begin()
  effects.length = 0
  const stop = live.onChange(() => effects.push('told'))
  live.dispatch({ kind: 'holding-changed' })
  t.same(effects, ['announce', 'told'])
  stop()
  live.dispatch({ kind: 'holding-changed' })
  t.same(effects, ['announce', 'told', 'announce'])
})

t.test('after the end events change the state and have no effect', async (t) => {
  const { live, effects, begin } = stage()
  begin()
  live.end()
  effects.length = 0
  live.dispatch({ kind: 'site-seen', site: 'berlin' })
  t.same([live.state().siteSeen, effects], ['berlin', []])
})

function stage() {
  const effects: string[] = []
  const initial = initialState({ name: 'n', labels: {}, site: null, isRoot: false, checkIntervalMs: 1000 })
  const live = createLiveState(initial)
  return { live, effects, begin: () => live.begin({ kind: 'started', ...saved }, ({ kind }) => effects.push(kind)) }
}
