// Which pieces are here, as BitTorrent writes it (BEP 3): the first piece is the highest bit of the first byte.

export function bitsFor(pieces: number): Uint8Array {
  return new Uint8Array(Math.ceil(pieces / 8))
}

export function hasBit(bits: Uint8Array, piece: number): boolean {
  return ((bits[piece >> 3] ?? 0) & (0x80 >> (piece & 7))) !== 0
}

/** Numbers that are no piece are ignored. */
export function withBits(bits: Uint8Array, pieces: Iterable<number>): Uint8Array {
  const next = bits.slice()
  for (const piece of pieces) {
    const byte = next[piece >> 3]
    if (byte !== undefined) next[piece >> 3] = byte | (0x80 >> (piece & 7))
  }
  return next
}

export function allBits(pieces: number): Uint8Array {
  return withBits(
    bitsFor(pieces),
    Array.from({ length: pieces }, (_, piece) => piece),
  )
}

export interface Pieces {
  /** Of the payload, in bytes. */
  size: number
  pieceLength: number
}

export function piecesOf({ size, pieceLength }: Pieces): number {
  return Math.ceil(size / pieceLength)
}

/** The last piece may be shorter. */
export function lengthOfPiece({ size, pieceLength }: Pieces, piece: number): number {
  return Math.min(pieceLength, size - piece * pieceLength)
}

/** How many bytes of the payload the set bits stand for. */
export function bytesOf(bits: Uint8Array, layout: Pieces): number {
  let bytes = 0
  const pieces = piecesOf(layout)
  for (let piece = 0; piece < pieces; piece += 1) if (hasBit(bits, piece)) bytes += lengthOfPiece(layout, piece)
  return bytes
}
