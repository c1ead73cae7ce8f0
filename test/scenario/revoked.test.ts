import { messageOf } from '../../src/model/failure.ts'
import { requestRenewal } from '../../src/trust/enrolment.ts'
import { loadIdentity } from '../../src/trust/identity.ts'
import type { Platter } from '../world/simulated-disk.ts'
import { minuteMs, scenario, settles, tellTap } from './scenario.ts'

await scenario(
  'a revoked node is turned away by all, and a restored root learns from them whom it had revoked',
  async (check, stage) => {
    const { simulation } = stage
    const tree = await stage.plant({
      nodes: [
        { name: 'staging', site: 'site-1', parents: ['root'] },
        { name: 'client', site: 'site-1', parents: ['staging'] },
        { name: 'thief', site: 'site-1', parents: ['staging'] },
      ],
    })
    for (const version of ['1.0', '2.0']) await tree.publish('tool', version, { size: 100_000 })
    await tree.release({ tool: '1.0' })
    await settles(check, tree)
    const { root } = tree
    const thief = tree.node('thief')
    const stolen = await simulation.until(loadIdentity(thief.home.keys, thief.simulated.world.disk))
    /** What the engines are told. */
    const turnedAway = new Map<string, readonly string[]>()
    for (const name of ['root', 'staging', 'client']) {
      const { swarm } = tree.node(name).running ?? {}
      const { setRevoked } = swarm ?? {}
      const told: typeof setRevoked = (keys) => {
        turnedAway.set(name, keys)
        setRevoked?.(keys)
      }
      Object.assign(swarm ?? {}, { setRevoked: told })
    }
    await simulation.until(root.fleet?.revoke('thief') ?? Promise.resolve())
    await simulation.run({ forMs: 2 * minuteMs })
    for (const name of ['root', 'staging', 'client']) {
      check.same(turnedAway.get(name), [stolen.keyId], `the engine of ${name} turns the key away`)
    }
    for (const name of ['staging', 'client']) {
      const { home, content } = tree.node(name)
      const known = Buffer.from(content(`${home.dir}/revoked.json`)).toString()
      check.ok(known.includes('"node":"thief"'), `${name} knows it`)
    }
    const { link } = thief.running?.state() ?? {}
    check.ok(
      link?.kind === 'island' && link.because.includes('thief was revoked'),
      `the thief: ${JSON.stringify(link)}`,
    )
    await tree.release({ tool: '2.0' })
    await simulation.run({ forMs: minuteMs })
    check.same(tree.node('client').machine.packages()[0]?.version, '2.0', 'the others go on')
    check.same(thief.machine.packages()[0]?.version, '1.0', 'without the thief')

    root.crash()
    // As in a copy of before the thief joined.
    const { entries } = root.simulated.storage as Platter
    entries.delete(`${root.home.fleet}/nodes/thief.json`)
    for (const file of ['revoked.json', 'revoked.copy.json']) entries.delete(`${root.home.dir}/${file}`)
    await simulation.until(root.start())
    check.same(root.fleet?.revocations.all(), [], 'the copy does not know it')
    await simulation.run({ forMs: 2 * minuteMs })
    root.fleet?.versionHeard('staging', 99)
    const recovered = await simulation.until(root.fleet?.recover() ?? Promise.resolve(null))
    check.match(recovered, { version: 99 }, 'the root is recovered')
    check.same(root.fleet?.revocations.has(stolen.keyId), true, 'the children have told it')
    const answer = root.fleet?.enrol(requestRenewal(stolen, simulation.now())).then(() => 'entered', messageOf)
    const said = await simulation.until(answer ?? Promise.resolve(''))
    check.ok(/no node of this fleet any more/.test(said), `the thief is not entered again: ${said}`)
  },
)

await tellTap()
