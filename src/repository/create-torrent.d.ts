// The part of create-torrent that we call; the package has no types of its own.

declare module 'create-torrent' {
  import type { Readable } from 'node:stream'

  export default function createTorrent(
    input: Readable,
    options: {
      name: string
      pieceLength: number
      private: boolean
      announceList: string[][]
      onProgress: (done: number, total: number) => void
    },
    callback: (error: Error | null, metainfo: Uint8Array) => void,
  ): void
}
