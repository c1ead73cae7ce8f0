// The trees that loads are brought through, by which systems, and what is aimed at.

import { banyan } from './banyan.ts'
import type { LoadPlan } from './load.ts'
import { aria2, transmission } from './peers/clients.ts'
import { cachingProxy, oneTransfer, plainHttp } from './peers/http.ts'
import { libtorrent } from './peers/libtorrent.ts'
import { rsync } from './peers/rsync.ts'
import { webtorrent } from './peers/webtorrent.ts'
import type { Machine, Plan } from './site.ts'
import type { System, Trouble } from './system.ts'

export interface Scenario {
  name: string
  title: string
  plan: Plan
  load: LoadPlan
  systems: readonly System[]
  trouble: Trouble
  /** Mbit/s of the thinnest link; null where there is none. */
  mbit: number | null
  /** For banyan: WAN bytes / payload, and time of the last node / ideal. */
  aims: { wan: number; time: number } | null
  /** Not among what is measured when no scenario is named. */
  isForTests?: boolean
}

const root: Machine = { name: 'root', site: 'headquarters', parent: null }
const staging = (site: string, parent: string): Machine => ({ name: site, site: `at-${site}`, parent })
const clients = (parent: string, count: number): Machine[] =>
  Array.from({ length: count }, (_, index) => ({ name: `${parent}${index + 1}`, site: `at-${parent}`, parent }))
const withStaging = (count: number, mbit: number): Plan => ({
  machines: [root, staging('berlin', 'root'), ...clients('berlin', count)],
  links: [{ above: 'headquarters', below: 'at-berlin', mbit }],
})
/** Every node is a child of the root, over one thin link. */
const open: Plan = {
  machines: [root, ...clients('berlin', 8).map((each) => ({ ...each, parent: 'root' }))],
  links: [{ above: 'headquarters', below: 'at-berlin', mbit: 50 }],
}
/** The same with 10 nodes, behind a router that translates their addresses into one. */
const nat: Plan = {
  machines: [root, ...clients('berlin', 10).map((each) => ({ ...each, parent: 'root' }))],
  links: [{ above: 'headquarters', below: 'at-berlin', mbit: 50, isNat: true }],
}
const crawling: Plan = {
  machines: [root, ...clients('berlin', 20).map((each) => ({ ...each, parent: 'root' }))],
  links: [{ above: 'headquarters', below: 'at-berlin', mbit: 0.256 }],
}
const one = (mib: number): LoadPlan => ({ kind: 'one', mib })

const behindNat: System = { ...banyan, needs: { nft: 'nftables' } }

export const scenarios: readonly Scenario[] = [
  {
    name: 'site',
    title: 'A site with a staging server and 8 nodes behind 50 Mbit/s',
    plan: withStaging(8, 50),
    load: one(64),
    systems: [oneTransfer, banyan, plainHttp, cachingProxy, rsync, libtorrent, aria2, transmission],
    trouble: 'none',
    mbit: 50,
    aims: { wan: 1.01, time: 1.05 },
  },
  {
    name: 'open-site',
    title: 'A site of 8 nodes without a staging server, behind 50 Mbit/s',
    plan: open,
    load: one(64),
    systems: [oneTransfer, banyan, plainHttp, libtorrent, aria2, transmission],
    trouble: 'none',
    mbit: 50,
    aims: { wan: 1.02, time: 1.1 },
  },
  {
    name: 'open-site-killed',
    title: 'The same, and the node that takes from the parent is killed at half time; the last of the other 7 counts',
    plan: open,
    load: one(64),
    systems: [oneTransfer, banyan],
    trouble: 'kill-taker',
    mbit: 50,
    aims: { wan: 1.1, time: 1.5 },
  },
  {
    name: 'nat',
    title: 'A site of 10 nodes behind address translation and 50 Mbit/s, which reach each other at their own addresses',
    plan: nat,
    load: one(64),
    systems: [behindNat],
    trouble: 'none',
    mbit: 50,
    aims: { wan: 1.1, time: 1.5 },
  },
  {
    name: 'nat-apart',
    title: 'The same, and no node reaches another one: 10 copies have to come over the link, which is the ideal here',
    plan: { ...nat, isolated: ['at-berlin'] },
    load: one(32),
    systems: [behindNat],
    trouble: 'none',
    mbit: 5,
    aims: { wan: 10.2, time: 1.2 },
  },
  {
    name: 'crawl',
    title:
      'A site of 20 nodes without a staging server, behind 256 kbit/s; 50 small payloads (20 to 900 KiB), none of them a swarm',
    plan: crawling,
    load: { kind: 'many', files: 50, medianBytes: 130 * 1024 },
    systems: [banyan],
    trouble: 'none',
    mbit: 0.256,
    aims: { wan: 1.05, time: 1.5 },
  },
  {
    name: 'rot',
    title:
      'A root, a staging server and a node; ten bytes flipped in their stores, four of them while the payload comes in',
    plan: withStaging(1, 50),
    load: one(64),
    systems: [banyan],
    trouble: 'rot',
    mbit: 50,
    aims: null,
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
        { above: 'headquarters', below: 'at-berlin', mbit: 50 },
        { above: 'at-berlin', below: 'at-mitte', mbit: 50 },
        { above: 'at-mitte', below: 'at-hall', mbit: 50 },
      ],
    },
    load: one(64),
    systems: [oneTransfer, banyan, cachingProxy, rsync, libtorrent],
    trouble: 'none',
    mbit: 50,
    aims: { wan: 1.01, time: 1.1 },
  },
  {
    name: 'many',
    title: 'A site with a staging server and 24 nodes behind 100 Mbit/s, each with 100 Mbit/s at its site',
    plan: { ...withStaging(24, 100), lanMbit: 100 },
    load: one(64),
    systems: [oneTransfer, banyan, cachingProxy, libtorrent],
    trouble: 'none',
    mbit: 100,
    aims: { wan: 1.01, time: 1.25 },
  },
  {
    name: 'pair',
    title: 'One seed and one leech on loopback',
    plan: {
      machines: [root, { name: 'leaf', site: 'headquarters', parent: 'root' }],
      links: [],
      isLoopback: true,
    },
    load: one(1024),
    systems: [oneTransfer, banyan, webtorrent, libtorrent],
    trouble: 'none',
    mbit: null,
    aims: null,
  },
  {
    name: 'small',
    title:
      'A repository of 2,000 small payloads (median 60 KiB) to a site with a staging server and 4 nodes behind 50 Mbit/s',
    plan: withStaging(4, 50),
    load: { kind: 'many', files: 2000, medianBytes: 60 * 1024 },
    systems: [oneTransfer, banyan, cachingProxy, rsync],
    trouble: 'none',
    mbit: 50,
    aims: null,
  },
  {
    name: 'smoke',
    title: 'A staging server and 2 nodes behind 50 Mbit/s',
    plan: withStaging(2, 50),
    load: one(4),
    systems: [oneTransfer, banyan, cachingProxy],
    trouble: 'none',
    mbit: 50,
    aims: null,
    isForTests: true,
  },
]
