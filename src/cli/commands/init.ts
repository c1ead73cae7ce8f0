// `banyan init`: makes a root.

import { type Command, exitCodes, newNodeOf, newNodeOptions } from '../command.ts'
import { note, print } from '../output.ts'

export const initCommand: Command = {
  command: 'init',
  describe: 'make a root: keys, a certificate authority, an empty repository, a commented policy.yaml',
  builder: (argv) => newNodeOptions(argv).example('$0 init --home /srv/root --name root', ''),
  run: async (args) => {
    const { initRoot } = await import('../../node/setup/init.ts')
    const made = await initRoot(newNodeOf(args))
    for (const each of made.notes) await note(`note: ${each}`)
    await print(
      [
        `root ${made.name} is made in ${made.home}`,
        `children will reach it at ${made.controlUrl}`,
        `next: banyan node --home ${made.home}, then edit ${made.policyFile}`,
      ].join('\n'),
    )
    return exitCodes.done
  },
}
