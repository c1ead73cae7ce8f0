import type { Planting } from '../world/tree.ts'
import { hourMs, scenario, settles, tellTap } from './scenario.ts'
import { seedsOf } from './seeds.ts'
import { beginWalk } from './walk.ts'

const steps = 60

const seeds = process.env['BANYAN_WALKS']?.split(' ') ?? seedsOf('tree', ['oak', 'elm', 'fir'])

for (const usualSeed of seeds) {
  await scenario(
    `whatever happens, all converges once it is over (walk ${usualSeed})`,
    async (check, stage) => {
      const { simulation } = stage
      const clients = [1, 2, 3].flatMap((n): Planting[] => [
        { name: `client-1-${n}`, site: 'site-1', parents: ['staging-1', 'staging-2'] },
        { name: `client-2-${n}`, site: 'site-2', parents: ['staging-2'] },
      ])
      const tree = await stage.plant({
        nodes: [
          { name: 'staging-1', site: 'site-1', parents: ['root'] },
          { name: 'staging-2', site: 'site-2', parents: ['root'] },
          ...clients,
        ],
      })
      const walk = await beginWalk(simulation, tree)
      await tree.release({ base: '1.0', big: '1.0' })
      for (let step = 0; step < steps; step += 1) check.comment(`${simulation.now()} ${await walk.step()}`)
      await walk.heal()
      const tookMs = await settles(check, tree, { withinMs: 3 * hourMs, stepMs: 10_000 })
      check.comment(`converged ${Math.round(tookMs / 1000)} s after all was well again`)
    },
    { usualSeed, walk: 'tree' },
  )
}

await tellTap()
