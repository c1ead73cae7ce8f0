import t from 'tap'
import type { Knowledge } from '../../../src/model/knowledge.ts'
import { limits } from '../../../src/model/limits.ts'
import { startClonesWatch } from '../../../src/node/parent/clones.ts'
import { sightingsAfter } from '../../../src/report/sightings.ts'
import { reportOf } from '../../report/reports.ts'
import { createSimulation } from '../../world/simulation.ts'

/** What is known of a node that ran on two machines up to then. */
function clonedUntil(at: number): Pick<Knowledge, 'sightings'> {
  const [one, other] = ['a', 'b'].map((letter) => ({ run: letter.repeat(16), addresses: [`10.0.0.${letter}`] }))
  const sightings = [one, other, one, other].reduce<Knowledge['sightings']>((known, machine, n) => {
    return machine && sightingsAfter(known, reportOf('till', at + n, { machine }), at + n)
  }, undefined)
  return { ...(sightings && { sightings }) }
}

t.test('an alarm about two machines ends without another report, and outlasts a restart until then', async (t) => {
  const simulation = createSimulation({ seed: 'clones' })
  const { clock } = simulation.node({ address: '10.0.0.1' }).world
  const known = new Map([['till', clonedUntil(clock.now())]])
  const started = () => {
    const told: (string | null)[] = []
    const parts = { clock, knowledgeOf: (node: string) => known.get(node) }
    return { told, watch: startClonesWatch({ ...parts, onChange: (problem) => told.push(problem) }) }
  }
  const first = started()
  first.watch.look(['till'])
  t.match(first.told, [/^till runs on 2 machines .*first seen .*, last .*join --again/])
  first.watch.stop()

  await simulation.run({ forMs: limits.clonesToldMs / 2 })
  const { told, watch } = started()
  watch.look([...known.keys()])
  t.equal(told.length, 1, 'the next daemon knows it from its inbox')
  await simulation.run({ forMs: limits.clonesToldMs / 2 + limits.clonesLookMs })
  t.same(told.slice(1), [null], 'one of the machines is off and the other one silent')
})

t.test('an alarm about a node that reports elsewhere by now ends', async (t) => {
  const simulation = createSimulation({ seed: 'clones' })
  const { clock } = simulation.node({ address: '10.0.0.1' }).world
  const known = new Map([['till', clonedUntil(clock.now())]])
  const told: (string | null)[] = []
  const watch = startClonesWatch({
    ...{ clock, knowledgeOf: (node) => known.get(node), onChange: (problem) => told.push(problem) },
  })
  watch.look(['till'])
  known.clear()
  await simulation.run({ forMs: limits.clonesLookMs })
  t.same(told.slice(1), [null])
  watch.stop()
})
