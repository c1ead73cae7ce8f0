// How much of the disk a node leaves free.

import { limits } from '../../model/limits.ts'
import { bytesOfSize, type WrittenSize } from '../../model/units/sizes.ts'

/** In bytes: the setting `diskReserve`, or the default where nothing is set. Pure. */
export function reserveBytesOf({ diskReserve }: { diskReserve?: WrittenSize }): number {
  return diskReserve === undefined ? limits.diskReserveBytes : bytesOfSize(diskReserve)
}
