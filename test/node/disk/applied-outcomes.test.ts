import t from 'tap'
import { Failure } from '../../../src/model/failure.ts'
import { createAppliedOutcomes } from '../../../src/node/disk/applied-outcomes.ts'
import type { Event } from '../../../src/node/state/events.ts'
import { initialState, type State } from '../../../src/node/state/state.ts'
import type { EndedApply } from '../../../src/reconcile/apply/ended-apply.ts'
import { createSimulation } from '../../world/simulation.ts'

t.test('an apply that could not be stored is taken in with the next one, and before it', async (t) => {
  const { appliedOutcomes, disk, stored, records, told } = stage()
  disk.isFull = true
  await t.rejects(appliedOutcomes.record([endedOf('1')]), { code: 'disk' })
  t.same([records(), stored, told()], [[], [], []], 'nothing is said of it to anybody')
  disk.isFull = false
  await appliedOutcomes.record([endedOf('2')])
  t.same(records(), ['2.0'], 'what came later holds')
  t.same(stored, ['1', '2'])
  t.same(told(), ['1', '2'])
  await appliedOutcomes.recordRest()
  t.same(stored, ['1', '2'], 'once')
})

t.test('an apply that could not be stored is taken in once there is room', async (t) => {
  const { appliedOutcomes, disk, stored, told } = stage()
  disk.isFull = true
  await t.rejects(appliedOutcomes.record([endedOf('1')]))
  await t.rejects(appliedOutcomes.recordRest(), { code: 'disk' })
  disk.isFull = false
  await appliedOutcomes.recordRest()
  t.same([stored, told()], [['1'], ['1']])
})

t.test('an apply that cannot be marked as taken in is told all the same', async (t) => {
  const { appliedOutcomes, disk, records, told } = stage()
  disk.isMarked = false
  await appliedOutcomes.record([endedOf('1')])
  t.same([records(), told()], [['1.0'], ['1']])
  await appliedOutcomes.record([endedOf('2')])
  t.same(told(), ['1', '2'], 'once')
})

t.test(
  'those of a former daemon that cannot be stored keep nothing else from beginning, and are not lost',
  async (t) => {
    const { appliedOutcomes, disk, stored, told, events } = stage([endedOf('1'), endedOf('2')])
    disk.isFull = true
    await t.rejects(appliedOutcomes.finishEarlier())
    t.same(
      events.map(({ kind }) => kind),
      ['earlier-finished'],
    )
    disk.isFull = false
    await appliedOutcomes.record([endedOf('3')])
    t.same(
      [stored, told()],
      [
        ['1', '2', '3'],
        ['1', '2', '3'],
      ],
    )
  },
)

t.test('all that a former daemon has left is stored before anything else may begin', async (t) => {
  const { appliedOutcomes, stored, events } = stage([endedOf('1'), endedOf('2')])
  await appliedOutcomes.finishEarlier()
  t.same(stored, ['1', '2'])
  t.same(
    events.map(({ kind }) => kind),
    ['applied', 'applied', 'earlier-finished'],
  )
})

/** It has installed one more version of the shop. */
function endedOf(txid: string): EndedApply {
  const [name, kind, version] = ['shop', 'tree', `${txid}.0`] as const
  const source = { manifest: txid.repeat(64), payload: txid.repeat(64), path: '/store/x' }
  const action = { what: 'install', cause: 'pending', name, kind, from: null, to: version, found: '', source } as const
  return {
    txid,
    plan: {
      ...{ schema: 1, revision: Number(txid), digest: 'd'.repeat(64), waiting: [] },
      actions: [{ ...action, previous: null }],
    },
    outcomes: [{ name, kind, outcome: 'changed', version, before: null, difference: 'pending' }],
    damaged: [],
    restarts: [],
    output: txid,
  }
}

/** A machine with what a former daemon has left, and a store that can be full. */
function stage(left: EndedApply[] = []) {
  const { clock, log } = createSimulation({ seed: 'taking in' }).node({ address: '10.0.0.1' }).world
  const disk = { isFull: false, isMarked: true }
  const stored: string[] = []
  const events: Event[] = []
  let state: State = initialState({ name: 'n', labels: {}, site: 's', isRoot: false, checkIntervalMs: 1000 })
  const appliedOutcomes = createAppliedOutcomes({
    ...{ clock, log },
    machine: {
      finishEarlier: async () => left,
      stored: async (txids) => {
        if (!disk.isMarked) throw new Failure('disk', 'input/output error')
        stored.push(...txids)
      },
    },
    store: {
      async batch() {
        if (disk.isFull) throw new Failure('disk', 'no space left on device', { retry: 'later' })
      },
    },
    state: () => state,
    dispatch: (event) => {
      events.push(event)
      if (event.kind === 'applied') state = { ...state, records: event.records }
    },
  })
  const told = () => events.flatMap((event) => (event.kind === 'applied' ? [event.output] : []))
  return { appliedOutcomes, disk, stored, events, told, records: () => state.records.map(({ version }) => version) }
}
