// Writes tars entry by entry (POSIX.1-1988 ustar), so that a test can also write those that no tar
// program would.

export interface Entry {
  path: string
  /** ustar's type flag; the default is an ordinary file. */
  type?: '0' | '1' | '2' | '3' | '4' | '5' | '6' | '7'
  content?: string | Uint8Array
  mode?: number
  target?: string
  owner?: string
  group?: string
}

export function tarOf(entries: readonly Entry[]): Buffer {
  const parts = entries.flatMap((entry) => {
    const content = Buffer.from(entry.content ?? '')
    return [headerOf(entry, content.length), content, Buffer.alloc(-content.length & 511)]
  })
  return Buffer.concat([...parts, Buffer.alloc(1024)])
}

/** Files by path; a path that ends in a slash is a folder, hooks are executable. */
export function treeOf(files: Readonly<Record<string, string>>): Entry[] {
  return Object.entries(files).map(([path, content]) =>
    path.endsWith('/')
      ? { path, type: '5', mode: 0o755 }
      : { path, content, mode: content.startsWith('#!') ? 0o755 : 0o644 },
  )
}

function headerOf(
  { path, type = '0', mode = 0o644, target = '', owner = '', group = '' }: Entry,
  size: number,
): Buffer {
  const header = Buffer.alloc(512)
  const octal = (value: number, width: number) => `${value.toString(8).padStart(width - 1, '0')}\0`
  header.write(path, 0, 100)
  header.write(octal(mode, 8), 100)
  header.write(octal(0, 8), 108)
  header.write(octal(0, 8), 116)
  header.write(octal(size, 12), 124)
  header.write(octal(0, 12), 136)
  header.write('        ', 148)
  header.write(type, 156)
  header.write(target, 157, 100)
  header.write('ustar\x0000', 257)
  header.write(owner, 265, 31)
  header.write(group, 297, 31)
  let sum = 0
  for (const byte of header) sum += byte
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return header
}
