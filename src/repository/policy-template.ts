// The policy.yaml of a new root.

/** The JSON Schema for editors, in the folder of policy.yaml; the template refers to it. */
export const policySchemaFileName = 'policy.schema.json'

export function policyTemplate(): string {
  return `# yaml-language-server: $schema=${policySchemaFileName}
#
# The policy: which packages belong on which nodes. Nothing happens when you save this file.
#   banyan plan       shows what releasing it would change
#   banyan release    signs it and hands it out to every node
# Keep it in git: this file alone says what the fleet should be.

# Groups give names to sets of nodes. A node belongs to a group when it meets every condition of
# the group.
#
# groups:
#   web:    { labels: { role: web } }            # set when the node joined: --label role=web
#   berlin: { site: berlin }                     # joined with --site berlin; several: [berlin, potsdam]
#   trixie: { facts: { os.codename: trixie } }   # what the node reads from its machine
#   canary: { names: [web-1, web-2] }            # node by node
groups: {}

# Rules say which packages belong on nodes. Later rules win, package by package. Banyan removes a
# package that it installed once no rule mentions the package. Banyan leaves alone what it never
# installed, unless a rule says absent.
#
# rules:
#   - nodes: all
#     packages:
#       openssl: latest          # the newest version published at the time of the release, or newer
#       shop: '>= 4.1'           # what a machine has is enough from this version on
#       telnetd: absent          # removed, whoever installed it
#   - nodes: [web]               # in any of these groups
#     except: [berlin]           # and in none of these
#     packages:
#       shop: 4.2.0              # exactly this version
#     note: berlin gets it after the fair
#     window: nights             # changed only then; payloads are fetched at once
#     rollout: careful           # in waves instead of everywhere at once
#     restart: [shop.service]    # restarted after shop has changed, if it runs
rules: []

# Base lists name the packages that the distribution installs by itself, per group of nodes or for
# all nodes: a file beside this one. A release is refused if a package needs something that its
# nodes would not have.
#
# base:
#   trixie: trixie-packages.txt
#   # made on a fresh machine by: dpkg-query -W -f '\${Package} \${Version} \${Provides}\\n'
base: {}

# Limits bound what nodes use of links and disks. Later limits win, key by key; a node's own
# settings win over both.
#
# limits:
#   - { nodes: [berlin], linkDownloadLimit: 10mbit, storeQuota: 50GB }
limits: []

# Windows say when nodes may change, in the local time of each node. A rule with urgent: true
# waits for no window. A rule with mode: audit reports differences and changes nothing.
#
# windows:
#   nights: { days: mon-fri, from: '22:00', until: '05:00' }
windows: {}

# Rollouts bring changes to the nodes in waves. A rollout halts by itself when too many nodes
# fail.
# \`banyan rollout\` shows the progress.
#
# rollouts:
#   careful: { waves: [1%, 10%, 100%], soak: 30m, halt: { failed: 2% } }
rollouts: {}
`
}
