// The home folder of a node: the path of each file and folder that a node keeps.

import path from 'node:path'

export interface Home {
  /** The home folder itself. */
  dir: string
  settings: string
  /** What operators write; a root only. */
  policy: string
  /** The private key and the certificate of the node. */
  keys: string
  /** Which node is the parent at an address, where the settings do not say. */
  parents: string
  /** The trusted TUF metadata. */
  tuf: string
  /** The database of the daemon. */
  state: string
  /** A second copy, in plain files, of what the database has and nobody else. */
  kept: string
  /** Small objects by their SHA-256: revisions, manifests, metainfo, small payloads. */
  objects: string
  /** Payloads that travel as swarms. */
  store: string
  /** The compiled code of the swarm engine, which has a user of its own. */
  engineCache: string
  run: string
  /** The unix socket at which the daemon answers the commands. */
  socket: string
  /** Plans, journals and outcomes of applies. */
  apply: string
  /** The keys of the fleet; a root only. */
  fleet: string
  /** The index of what was published; a root only. */
  repository: string
}

/** Pure. */
export function homeAt(dir: string): Home {
  const at = (name: string) => path.join(dir, name)
  return {
    dir,
    settings: at('node.yaml'),
    policy: at('policy.yaml'),
    keys: at('keys'),
    parents: at('parents.json'),
    tuf: at('tuf'),
    state: at('state'),
    kept: at('kept'),
    objects: at('objects'),
    store: at('store'),
    engineCache: at('engine-cache'),
    run: at('run'),
    socket: at('run/control.sock'),
    apply: at('apply'),
    fleet: at('fleet'),
    repository: at('repository'),
  }
}
