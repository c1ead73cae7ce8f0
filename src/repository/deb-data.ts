// The headers of a package's data archive, as dpkg judges them in the middle of an install: it
// refuses the extended headers (pax) that many builders write, which other readers of tar take.

/** Takes an archive part by part. */
export interface DataScan {
  take(part: Uint8Array): void
  /** Why dpkg refuses the archive; undefined as long as it does not. */
  problem(): string | undefined
}

const blockBytes = 512
/** dpkg's tar: files, links, devices, folders, pipes, and the long names of GNU tar. */
const knownTypes = '\0' + '0123456LK'

export function createDataScan(): DataScan {
  let header = Buffer.alloc(0)
  let skipBytes = 0
  let problem: string | undefined
  return {
    problem: () => problem,
    take(part) {
      let rest = Buffer.from(part)
      while (rest.length > 0 && problem === undefined) {
        const skipped = Math.min(skipBytes, rest.length)
        skipBytes -= skipped
        rest = rest.subarray(skipped)
        const missing = Math.min(blockBytes - header.length, rest.length)
        header = Buffer.concat([header, rest.subarray(0, missing)])
        rest = rest.subarray(missing)
        if (header.length < blockBytes) return
        const type = header.toString('latin1', 156, 157)
        if (header[0] !== 0 && !knownTypes.includes(type)) {
          problem = `its data has a tar header of type ${JSON.stringify(type)}, which dpkg does not know`
        }
        skipBytes = header[0] === 0 ? 0 : Math.ceil(sizeIn(header) / blockBytes) * blockBytes
        header = Buffer.alloc(0)
      }
    },
  }
}

/** Octal digits, or a binary number for what is larger than they can say. */
function sizeIn(header: Buffer): number {
  if (((header[124] ?? 0) & 0x80) !== 0) return header.readUIntBE(130, 6)
  return Number.parseInt(header.toString('latin1', 124, 136), 8) || 0
}
