// Where everything that a node keeps lies below its home folder.

import path from 'node:path'

export interface Home {
  dir: string
  settings: string
  policy: string
  keys: string
  tuf: string
  state: string
  objects: string
  store: string
  run: string
  socket: string
  apply: string
  fleet: string
  repository: string
}

export function homeAt(dir: string): Home {
  const at = (name: string) => path.join(dir, name)
  return {
    dir,
    settings: at('node.yaml'),
    policy: at('policy.yaml'),
    keys: at('keys'),
    tuf: at('tuf'),
    state: at('state'),
    objects: at('objects'),
    store: at('store'),
    run: at('run'),
    socket: at('run/control.sock'),
    apply: at('apply'),
    fleet: at('fleet'),
    repository: at('repository'),
  }
}
