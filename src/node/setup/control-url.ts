// The address of a node's control port, as its children write it.

import { addressInUrl } from '../../model/address.ts'
import type { Settings } from '../../model/settings.ts'

/**
 * The URL under which children reach this node, as far as the node itself can tell. A node that
 * listens at every address does not know its own: `address` stands in for it, or this machine's
 * loopback. Pure.
 */
export function controlUrlOf(
  { listen }: Pick<Settings, 'listen'>,
  port: number,
  address: string = '127.0.0.1',
): string {
  const reachable = listen === '0.0.0.0' || listen === '::' ? address : listen
  return `https://${addressInUrl(reachable)}:${port}`
}
