// `banyan init`: makes this machine the root of a new tree.

import path from 'node:path'
import { policyJsonSchemaText } from '../../model/json-schema.ts'
import { nodeNameSchema } from '../../model/names.ts'
import { parserOf } from '../../model/parse.ts'
import { parseSettings } from '../../model/settings.ts'
import { policySchemaFileName, policyTemplate } from '../../repository/policy-template.ts'
import { initFleet } from '../../trust/fleet-init.ts'
import { openWorld } from '../../world/real-world.ts'
import { controlUrlOf } from './control-url.ts'
import { homeAt } from './home.ts'
import { checkNoNode, machineName, makeFolders } from './join.ts'
import { claimHome } from './private-home.ts'
import { processLog } from './process-log.ts'
import { saveSettings } from './settings-file.ts'

export interface InitOptions {
  home: string
  name?: string
  listen?: string
  controlPort?: number
  swarmPort?: number
  targetRoot?: string
}

const parseName = parserOf(nodeNameSchema)

/**
 * Makes keys, TUF metadata, a policy to start from, and the settings. Throws `already-exists` if
 * the home is a node already. The settings are written last, so a run that failed has not made a
 * node and can be repeated. `notes` tells a person what was changed about the home beside that.
 */
export async function initRoot(
  options: InitOptions,
): Promise<{ home: string; name: string; controlUrl: string; policyFile: string; notes: string[] }> {
  const { clock, random, disk } = openWorld({ log: processLog('error') })
  const home = homeAt(options.home)
  const { home: _, name: given, ...rest } = options
  const name = parseName(given ?? machineName(), 'name')
  const settings = parseSettings({ name, ...rest }, 'init')
  await checkNoNode({ disk }, home)
  const notes = await claimHome(home.dir)
  await makeFolders({ disk }, home, settings)
  await initFleet({ dir: home.dir, name, nodeName: name, clock, random, disk })
  if ((await disk.stat(home.policy)) === undefined) await disk.write(home.policy, policyTemplate())
  await disk.write(path.join(home.dir, policySchemaFileName), await policyJsonSchemaText())
  await saveSettings(disk, home.settings, settings)
  return {
    home: home.dir,
    name,
    controlUrl: controlUrlOf(settings, settings.controlPort, machineName()),
    policyFile: home.policy,
    notes,
  }
}
