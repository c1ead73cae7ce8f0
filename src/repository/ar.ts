// The ar format, the outer container of a Debian package (deb(5)).

import type { FileHandle } from 'node:fs/promises'
import { Failure } from '../model/failure.ts'

export interface ArMember {
  name: string
  /** Offset of the content from the start of the file. */
  start: number
  size: number
}

export const arMagic = '!<arch>\n'
const headerBytes = 60
/** A Debian package has three or four members. */
const membersMax = 64

/** Throws a `bad-input` Failure naming `path` if the file is truncated or is no ar archive. */
export async function arMembersOf(file: FileHandle, path: string): Promise<ArMember[]> {
  const { size } = await file.stat()
  if (size === 0) throw new Failure('bad-input', `${path}: the file is empty`)
  if ((await textAt(file, 0, arMagic.length)) !== arMagic) {
    throw new Failure('bad-input', `${path}: not a Debian package: it is no ar archive`)
  }
  const members: ArMember[] = []
  for (let at = arMagic.length; at < size; ) {
    const header = await textAt(file, at, headerBytes)
    const fields = /^(.{16}).{32}(\d+) *`\n$/s.exec(header)
    if (fields === null) {
      const what =
        header.length < headerBytes ? 'it is cut off' : `the header of member ${members.length + 1} is damaged`
      throw new Failure('bad-input', `${path}: not a whole Debian package: ${what}`)
    }
    const member = {
      name: (fields[1] ?? '').trimEnd().replace(/\/$/, ''),
      start: at + headerBytes,
      size: Number(fields[2]),
    }
    if (member.start + member.size > size) {
      const missing = member.start + member.size - size
      throw new Failure('bad-input', `${path}: not a whole Debian package: ${member.name} lacks ${missing} bytes`)
    }
    members.push(member)
    if (members.length > membersMax) throw new Failure('bad-input', `${path}: more than ${membersMax} members`)
    at = member.start + member.size + (member.size % 2)
  }
  return members
}

/** The whole content of a member, in memory. The caller has checked the member's size. */
export async function contentOfMember(file: FileHandle, member: ArMember): Promise<Uint8Array> {
  const buffer = Buffer.alloc(member.size)
  const { bytesRead } = await file.read(buffer, 0, buffer.length, member.start)
  return buffer.subarray(0, bytesRead)
}

async function textAt(file: FileHandle, position: number, length: number): Promise<string> {
  const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, position)
  return buffer.toString('latin1', 0, bytesRead)
}
