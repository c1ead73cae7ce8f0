// Cuts what comes in on a wire into the parts that its parser asks for. bittorrent-protocol's own
// intake copies everything gathered so far, into new memory, each time that bytes arrive; here
// every block is gathered in the same memory.

/** The first byte of the message that brings a block (BEP 3). */
const pieceMessage = 7

export interface Intake {
  /** Of the next part, in bytes. */
  size(): number
  parse(part: Uint8Array): void
}

/**
 * Returns the function that takes data in. `parse` gets each part as soon as it is whole, and may
 * keep it, unless it is a block: a block is overwritten after `parse` has returned.
 */
export function createIntake({ size, parse }: Intake): (data: Uint8Array) => void {
  let gathered = new Uint8Array(0)
  let filled = 0
  return (data) => {
    let at = 0
    for (;;) {
      const wanted = size()
      if (filled === 0 && data.length - at >= wanted) {
        at += wanted
        parse(data.subarray(at - wanted, at))
        continue
      }
      // A closed wire waits for more bytes than will ever come.
      if (wanted === Number.MAX_VALUE) return
      if (gathered.length < wanted) gathered = enlarged(gathered, filled, wanted)
      const step = data.subarray(at, at + wanted - filled)
      gathered.set(step, filled)
      at += step.length
      filled += step.length
      if (filled < wanted) return
      filled = 0
      const part = gathered.subarray(0, wanted)
      parse(part[0] === pieceMessage ? part : part.slice())
    }
  }
}

function enlarged(memory: Uint8Array, filled: number, size: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(size)
  larger.set(memory.subarray(0, filled))
  return larger
}
