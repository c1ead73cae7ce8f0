// The trees that payloads are brought through.

import type { Machine, Plan } from './site.ts'

export interface Scenario {
  name: string
  title: string
  plan: Plan
  /** Seconds that the payload takes over the thinnest link; null where there is none. */
  idealSeconds(bytes: number): number | null
}

const wanMbit = 50
const overWan = (bytes: number) => (bytes * 8) / (wanMbit * 1e6)
const root: Machine = { name: 'root', site: 'headquarters', parent: null }
const staging = (site: string, parent: string): Machine => ({ name: site, site: `at-${site}`, parent })
const clients = (parent: string, count: number): Machine[] =>
  Array.from({ length: count }, (_, index) => ({ name: `${parent}${index + 1}`, site: `at-${parent}`, parent }))

export const scenarios: readonly Scenario[] = [
  {
    name: 'site',
    title: 'A site with a staging server and 8 nodes behind 50 Mbit/s',
    plan: {
      machines: [root, staging('berlin', 'root'), ...clients('berlin', 8)],
      links: [{ above: 'headquarters', below: 'at-berlin', mbit: wanMbit }],
    },
    idealSeconds: overWan,
  },
  {
    name: 'levels',
    title: 'Three levels of staging servers, each behind 50 Mbit/s, with 1, 1 and 2 nodes',
    plan: {
      machines: [
        ...[root, staging('berlin', 'root'), staging('mitte', 'berlin'), staging('hall', 'mitte')],
        ...[...clients('berlin', 1), ...clients('mitte', 1), ...clients('hall', 2)],
      ],
      links: [
        { above: 'headquarters', below: 'at-berlin', mbit: wanMbit },
        { above: 'at-berlin', below: 'at-mitte', mbit: wanMbit },
        { above: 'at-mitte', below: 'at-hall', mbit: wanMbit },
      ],
    },
    idealSeconds: overWan,
  },
  {
    name: 'pair',
    title: 'One seed and one node, no thin link between them',
    plan: { machines: [root, { name: 'leaf', site: 'headquarters', parent: 'root' }], links: [] },
    idealSeconds: () => null,
  },
]
