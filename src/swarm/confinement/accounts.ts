// The accounts of a machine, as passwd(5) lists them.

export interface User {
  uid: number
  gid: number
}

/** The account of this name; undefined if it is missing, or has rights of root. Pure. */
export function userIn(passwd: string, account: string): User | undefined {
  for (const line of passwd.split('\n')) {
    const [name, , uid = '', gid = ''] = line.split(':')
    if (name !== account || !/^\d{1,9}$/.test(uid) || !/^\d{1,9}$/.test(gid)) continue
    if (Number(uid) > 0 && Number(gid) > 0) return { uid: Number(uid), gid: Number(gid) }
  }
  return undefined
}
