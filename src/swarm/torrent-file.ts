// A .torrent file for ordinary clients.

/**
 * The .torrent file of a payload. `metainfo` holds the info dictionary only, as `checkedMetainfo`
 * returns it. The tracker's URL stands beside the info dictionary, so the info hash stays the same
 * (BEP 3).
 */
export function torrentFileOf(metainfo: Uint8Array, announceUrl: string): Uint8Array {
  const announce = `d8:announce${Buffer.byteLength(announceUrl)}:${announceUrl}`
  return Buffer.concat([Buffer.from(announce), metainfo.subarray('d'.length)])
}
