// One bit for each piece that is here, in BitTorrent's order (BEP 3): the first piece is the
// highest bit of the first byte. Pure.

/** No piece of so many. */
export function bitsFor(pieces: number): Uint8Array {
  return new Uint8Array(Math.ceil(pieces / 8))
}

export function hasBit(bits: Uint8Array, piece: number): boolean {
  return ((bits[piece >> 3] ?? 0) & (0x80 >> (piece & 7))) !== 0
}

/** A copy with these pieces added. A number beyond the last piece is ignored. */
export function withBits(bits: Uint8Array, pieces: Iterable<number>): Uint8Array {
  const next = bits.slice()
  for (const piece of pieces) {
    const byte = next[piece >> 3]
    if (byte !== undefined) next[piece >> 3] = byte | (0x80 >> (piece & 7))
  }
  return next
}

/** A copy without these pieces. A number beyond the last piece is ignored. */
export function withoutBits(bits: Uint8Array, pieces: Iterable<number>): Uint8Array {
  const next = bits.slice()
  for (const piece of pieces) {
    const byte = next[piece >> 3]
    if (byte !== undefined) next[piece >> 3] = byte & ~(0x80 >> (piece & 7))
  }
  return next
}

/** All of so many pieces. */
export function allBits(pieces: number): Uint8Array {
  return withBits(
    bitsFor(pieces),
    Array.from({ length: pieces }, (_, piece) => piece),
  )
}

export interface Pieces {
  /** The size of the payload, in bytes. */
  size: number
  /** In bytes. */
  pieceLength: number
}

/** The number of pieces. */
export function piecesOf({ size, pieceLength }: Pieces): number {
  return Math.ceil(size / pieceLength)
}

/** The length of one piece, in bytes. The last piece may be shorter than the others. */
export function lengthOfPiece({ size, pieceLength }: Pieces, piece: number): number {
  return Math.min(pieceLength, size - piece * pieceLength)
}

/** The number of payload bytes that the set bits stand for. */
export function bytesOf(bits: Uint8Array, layout: Pieces): number {
  let bytes = 0
  const pieces = piecesOf(layout)
  for (let piece = 0; piece < pieces; piece += 1) if (hasBit(bits, piece)) bytes += lengthOfPiece(layout, piece)
  return bytes
}
